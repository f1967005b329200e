/* Colours of a file to sRGB: profiles through lcms2, and plain grey and CMYK without. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "image/internal.h"

#include <lcms2.h>
#include <stdlib.h>
#include <string.h>

struct rv_colours {
    rv_pixel_format format;
    cmsHTRANSFORM transform; /* NULL: the colours are sRGB, plain grey or plain CMYK */
};

/* Photographs: colours that both spaces have stay as they are, black stays black. */
enum { INTENT = INTENT_RELATIVE_COLORIMETRIC };
#define FLAGS cmsFLAGS_BLACKPOINTCOMPENSATION

static cmsColorSpaceSignature space_of(int colours)
{
    return colours == 1 ? cmsSigGrayData : colours == 3 ? cmsSigRgbData : cmsSigCmykData;
}

static cmsUInt32Number layout(int colours, bool alpha, int bits)
{
    const cmsUInt32Number kind = colours == 1 ? PT_GRAY : colours == 3 ? PT_RGB : PT_CMYK;
    return (cmsUInt32Number)(COLORSPACE_SH(kind) | CHANNELS_SH((unsigned)colours) |
                             EXTRA_SH((unsigned)alpha) | BYTES_SH((unsigned)bits / 8));
}

/* Why a profile cannot be used, or NULL. */
static const char *check(cmsHPROFILE profile, int colours)
{
    if (profile == NULL) {
        return "is damaged";
    }
    if (cmsGetColorSpace(profile) != space_of(colours)) {
        return "is for another kind of colours";
    }
    const cmsProfileClassSignature class = cmsGetDeviceClass(profile);
    if (class != cmsSigInputClass && class != cmsSigDisplayClass && class != cmsSigOutputClass &&
        class != cmsSigColorSpaceClass) {
        return "describes no picture";
    }
    return NULL;
}

static cmsHPROFILE from_numbers(const rv_profile *profile, int colours)
{
    cmsToneCurve *curve;
    if (profile->exponent > 0) {
        curve = cmsBuildGamma(NULL, profile->exponent);
    } else {
        const double srgb[5] = {2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045};
        curve = cmsBuildParametricToneCurve(NULL, 4, srgb);
    }
    cmsHPROFILE made = NULL;
    if (curve != NULL && colours == 1) {
        made = cmsCreateGrayProfile(cmsD50_xyY(), curve);
    } else if (curve != NULL) {
        static const double srgb[8] = {0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06};
        const double *xy = profile->has_corners ? profile->xy : srgb;
        const cmsCIExyY white = {xy[0], xy[1], 1};
        const cmsCIExyYTRIPLE corners = {{xy[2], xy[3], 1}, {xy[4], xy[5], 1}, {xy[6], xy[7], 1}};
        cmsToneCurve *const curves[3] = {curve, curve, curve};
        made = cmsCreateRGBProfile(&white, &corners, curves);
    }
    cmsFreeToneCurve(curve);
    return made;
}

/* Whether no sample of 8 bits would move by more than one: then the file is sRGB in other words, and its samples
 * are best kept as they are. */
static bool is_srgb(cmsHPROFILE profile, cmsHPROFILE srgb, int colours)
{
    enum { STEPS = 9, MOST = STEPS * STEPS * STEPS, ONE_OF_8_BITS = 257 };
    if (colours == 4) {
        return false;
    }
    const cmsUInt32Number flags = FLAGS | cmsFLAGS_NOCACHE | cmsFLAGS_NOOPTIMIZE;
    cmsHTRANSFORM transform =
        cmsCreateTransform(profile, layout(colours, false, 16), srgb, TYPE_RGB_16, INTENT, flags);
    if (transform == NULL) {
        return false;
    }
    uint16_t from[MOST * 3], to[MOST * 3];
    const int n = colours == 1 ? STEPS : MOST, channels = colours == 1 ? 1 : 3;
    for (int i = 0; i < n; i++) {
        const int at[3] = {i % STEPS, i / STEPS % STEPS, i / STEPS / STEPS};
        for (int c = 0; c < channels; c++) {
            from[i * channels + c] = (uint16_t)(at[c] * UINT16_MAX / (STEPS - 1));
        }
    }
    cmsDoTransform(transform, from, to, (cmsUInt32Number)n);
    cmsDeleteTransform(transform);
    bool same = true;
    for (int i = 0; i < n * 3; i++) {
        const int before = colours == 1 ? from[i / 3] : from[i];
        same = same && abs(before - to[i]) <= ONE_OF_8_BITS;
    }
    return same;
}

/* @return why the profile is left out, or NULL */
static const char *prepare(rv_colours *colours, cmsHPROFILE profile)
{
    const rv_pixel_format f = colours->format;
    const char *problem = check(profile, f.colours);
    if (problem != NULL) {
        return problem;
    }
    cmsHPROFILE srgb = cmsCreate_sRGBProfile();
    if (srgb == NULL) {
        return "needs more memory than there is";
    }
    if (!is_srgb(profile, srgb, f.colours)) {
        /* lcms would put 16 bits through a coarse table to save time. */
        const cmsUInt32Number exact = f.bits == 16 ? cmsFLAGS_NOOPTIMIZE : 0;
        const cmsUInt32Number alpha = f.alpha ? cmsFLAGS_COPY_ALPHA : 0;
        colours->transform =
            cmsCreateTransform(profile, layout(f.colours, f.alpha, f.bits), srgb,
                               layout(3, f.alpha, f.bits), INTENT, FLAGS | exact | alpha);
        problem = colours->transform == NULL ? "cannot be converted to sRGB" : NULL;
    }
    cmsCloseProfile(srgb);
    return problem;
}

rv_status rv_colours_create(rv_colours **out, rv_pixel_format format, const rv_profile *profile,
                            const rv_image_source *source)
{
    *out = NULL;
    rv_colours *colours;
    RV_TRY(rv_alloc(&colours, 1, sizeof *colours, "colour conversion"));
    colours->format = format;
    const char *problem = NULL;
    if (profile->icc != NULL && profile->icc_size > RV_ICC_LIMIT) {
        problem = "is too large";
    } else if (profile->icc != NULL || profile->exponent > 0 || profile->has_corners) {
        cmsHPROFILE opened =
            profile->icc != NULL
                ? cmsOpenProfileFromMem(profile->icc, (cmsUInt32Number)profile->icc_size)
                : from_numbers(profile, format.colours);
        problem = prepare(colours, opened);
        if (opened != NULL) {
            cmsCloseProfile(opened);
        }
    }
    if (problem != NULL) {
        rv_log(source->events, RV_LOG_WARNING,
               "%s: its colour profile %s and is ignored; colours are taken as sRGB", source->name,
               problem);
    }
    *out = colours;
    return RV_OK;
}

void rv_colours_destroy(rv_colours *colours)
{
    if (colours != NULL && colours->transform != NULL) {
        cmsDeleteTransform(colours->transform);
    }
    free(colours);
}

static void grey_8(uint8_t *to, const uint8_t *from, size_t width, bool alpha)
{
    for (size_t x = 0; x < width; x++) {
        to[0] = to[1] = to[2] = from[0];
        if (alpha) {
            to[3] = from[1];
        }
        to += alpha ? 4 : 3;
        from += alpha ? 2 : 1;
    }
}

static void grey_16(uint16_t *to, const uint16_t *from, size_t width, bool alpha)
{
    for (size_t x = 0; x < width; x++) {
        to[0] = to[1] = to[2] = from[0];
        if (alpha) {
            to[3] = from[1];
        }
        to += alpha ? 4 : 3;
        from += alpha ? 2 : 1;
    }
}

/* Each ink takes its share of the light that black leaves. */
static void cmyk(uint8_t *to, const uint8_t *from, size_t width)
{
    for (size_t x = 0; x < width; x++, to += 3, from += 4) {
        for (int c = 0; c < 3; c++) {
            to[c] = (uint8_t)(((255 - from[c]) * (255 - from[3]) + 127) / 255);
        }
    }
}

void rv_colours_row(const rv_colours *colours, void *to, const void *from, size_t width)
{
    const rv_pixel_format f = colours->format;
    if (colours->transform != NULL) {
        cmsDoTransform(colours->transform, from, to, (cmsUInt32Number)width);
    } else if (f.colours == 4) {
        cmyk(to, from, width);
    } else if (f.colours == 3) {
        memcpy(to, from, width * (f.alpha ? 4 : 3) * (size_t)(f.bits / 8));
    } else if (f.bits == 16) {
        grey_16(to, from, width, f.alpha);
    } else {
        grey_8(to, from, width, f.alpha);
    }
}
