/* Colours of a file to sRGB: profiles through lcms2, and plain grey and CMYK without. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "image/colour.h"
#include "image/internal.h"

#include <lcms2.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct rv_colours {
    rv_pixel_format format;
    cmsHTRANSFORM transform; /* NULL: the colours are sRGB, plain grey or plain CMYK */
    rv_blob icc;             /* the profile that they come from, if of RGB */
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
    static const double of_srgb[5] = {2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045};
    const double *p = profile->has_curve ? profile->curve : of_srgb;
    /* A plain power as such: lcms turns it round exactly. */
    cmsToneCurve *curve =
        p[1] == 1 && p[2] == 0 && p[4] == 0
            ? cmsBuildGamma(NULL, p[0])
            : cmsBuildParametricToneCurve(NULL, 4, (const double[5]){p[0], p[1], p[2], p[3], p[4]});
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

/* The same for most files in a fraction of the time: colours of sRGB, and curves that differ by less than half a step.
 * Where it says no, nothing is known. */
static bool has_numbers_of_srgb(cmsHPROFILE profile)
{
    enum { STEPS = 16 };
    static const cmsTagSignature colours[3] = {cmsSigRedColorantTag, cmsSigGreenColorantTag,
                                               cmsSigBlueColorantTag};
    static const cmsTagSignature curves[3] = {cmsSigRedTRCTag, cmsSigGreenTRCTag, cmsSigBlueTRCTag};
    static const double xyz[3][3] = {
        {0.43607, 0.22249, 0.01392}, {0.38515, 0.71687, 0.09708}, {0.14307, 0.06061, 0.71410}};
    if (!cmsIsMatrixShaper(profile)) {
        return false;
    }
    for (int c = 0; c < 3; c++) {
        const cmsCIEXYZ *colour = cmsReadTag(profile, colours[c]);
        const cmsToneCurve *curve = cmsReadTag(profile, curves[c]);
        if (colour == NULL || curve == NULL || fabs(colour->X - xyz[c][0]) > 2e-4 ||
            fabs(colour->Y - xyz[c][1]) > 2e-4 || fabs(colour->Z - xyz[c][2]) > 2e-4) {
            return false;
        }
        for (int i = 0; i <= STEPS; i++) {
            const float v = (float)i / STEPS;
            if (fabsf(rv_srgb_from_light(cmsEvalToneCurveFloat(curve, v)) - v) > 0.5f / 255) {
                return false;
            }
        }
    }
    return true;
}

/* Whether no sample of 8 bits would move by more than one: then the file is sRGB in other words, and its samples
 * are best kept as they are. */
static bool is_srgb(cmsHPROFILE profile, cmsHPROFILE srgb, int colours)
{
    enum { STEPS = 9, MOST = STEPS * STEPS * STEPS, ONE_OF_8_BITS = 257 };
    if (colours == 4) {
        return false;
    }
    if (colours == 3 && has_numbers_of_srgb(profile)) {
        return true;
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

/* Bytes of a profile that was made from numbers, without the time of making. */
static rv_status save(rv_blob *out, cmsHPROFILE profile)
{
    enum { TIME = 24, TIME_BYTES = 12 };
    cmsUInt32Number n = 0;
    if (!cmsSaveProfileToMem(profile, NULL, &n) || n < TIME + TIME_BYTES) {
        return RV_OK;
    }
    RV_TRY(rv_alloc(&out->data, (size_t)n + 1, 1, "a colour profile"));
    if (!cmsSaveProfileToMem(profile, out->data, &n)) {
        rv_blob_release(out);
        return RV_OK;
    }
    memset(out->data + TIME, 0, TIME_BYTES);
    out->size = n;
    return RV_OK;
}

/* Keeps what an output can be given again. */
static rv_status keep(rv_colours *colours, const rv_profile *profile, cmsHPROFILE opened)
{
    if (colours->format.colours != 3) {
        return RV_OK;
    }
    return profile->icc != NULL
               ? rv_blob_set(&colours->icc, profile->icc, profile->icc_size, "a colour profile")
               : save(&colours->icc, opened);
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
    rv_status status = RV_OK;
    if (profile->icc != NULL && profile->icc_size > RV_ICC_LIMIT) {
        problem = "is too large";
    } else if (profile->icc != NULL || profile->has_curve || profile->has_corners) {
        cmsHPROFILE opened =
            profile->icc != NULL
                ? cmsOpenProfileFromMem(profile->icc, (cmsUInt32Number)profile->icc_size)
                : from_numbers(profile, format.colours);
        problem = prepare(colours, opened);
        status = problem == NULL ? keep(colours, profile, opened) : RV_OK;
        if (opened != NULL) {
            cmsCloseProfile(opened);
        }
    }
    if (status != RV_OK) {
        rv_colours_destroy(colours);
        return status;
    }
    if (problem != NULL) {
        rv_log(source->events, RV_LOG_WARNING,
               "%s: its colour profile %s and is ignored; colours are taken as sRGB", source->name,
               problem);
    }
    *out = colours;
    return RV_OK;
}

/* NULL: it leads one way only. */
static cmsHTRANSFORM make_back(cmsHPROFILE srgb, cmsHPROFILE profile, rv_pixel_format f)
{
    const cmsUInt32Number exact = f.bits == 16 ? cmsFLAGS_NOOPTIMIZE : 0;
    const cmsUInt32Number alpha = f.alpha ? cmsFLAGS_COPY_ALPHA : 0;
    return cmsCreateTransform(srgb, layout(3, f.alpha, f.bits), profile, layout(3, f.alpha, f.bits),
                              INTENT, FLAGS | exact | alpha);
}

rv_status rv_colours_create_back(rv_colours **out, rv_pixel_format format, const rv_blob *icc)
{
    *out = NULL;
    rv_colours *colours;
    RV_TRY(rv_alloc(&colours, 1, sizeof *colours, "colour conversion"));
    colours->format = format;
    cmsHPROFILE srgb = cmsCreate_sRGBProfile();
    cmsHPROFILE profile = cmsOpenProfileFromMem(icc->data, (cmsUInt32Number)icc->size);
    bool made = false;
    if (srgb != NULL && profile != NULL) {
        made = is_srgb(profile, srgb, 3);
        if (!made) {
            colours->transform = make_back(srgb, profile, format);
            made = colours->transform != NULL;
        }
    }
    if (profile != NULL) {
        cmsCloseProfile(profile);
    }
    if (srgb != NULL) {
        cmsCloseProfile(srgb);
    }
    if (!made) {
        rv_colours_destroy(colours);
        return rv_fail(RV_ERR_UNSUPPORTED,
                       "the colour profile of the photo describes a camera or scanner and "
                       "cannot be given to a result; use --icc srgb");
    }
    *out = colours;
    return RV_OK;
}

void rv_colours_destroy(rv_colours *colours)
{
    if (colours != NULL) {
        if (colours->transform != NULL) {
            cmsDeleteTransform(colours->transform);
        }
        rv_blob_release(&colours->icc);
    }
    free(colours);
}

void rv_colours_give_profile(rv_colours *colours, rv_image *image)
{
    rv_blob_release(&image->icc);
    image->icc = colours->icc;
    colours->icc = (rv_blob){0};
}

/* For samples of 8 and of 16 bits. */
/* NOLINTBEGIN(bugprone-macro-parentheses): types take no parentheses */
#define DEFINE_PLAIN(type, bits)                                                         \
    static void grey_##bits(type *to, const type *from, size_t width, bool alpha)        \
    {                                                                                    \
        for (size_t x = 0; x < width; x++) {                                             \
            to[0] = to[1] = to[2] = from[0];                                             \
            if (alpha) {                                                                 \
                to[3] = from[1];                                                         \
            }                                                                            \
            to += alpha ? 4 : 3;                                                         \
            from += alpha ? 2 : 1;                                                       \
        }                                                                                \
    }                                                                                    \
                                                                                         \
    /* Each ink takes its share of the light that black leaves. */                       \
    static void cmyk_##bits(type *to, const type *from, size_t width)                    \
    {                                                                                    \
        const uint32_t full = UINT##bits##_MAX;                                          \
        for (size_t x = 0; x < width; x++, to += 3, from += 4) {                         \
            for (int c = 0; c < 3; c++) {                                                \
                to[c] = (type)(((full - from[c]) * (full - from[3]) + full / 2) / full); \
            }                                                                            \
        }                                                                                \
    }

DEFINE_PLAIN(uint8_t, 8)
DEFINE_PLAIN(uint16_t, 16)
/* NOLINTEND(bugprone-macro-parentheses) */

void rv_colours_row(const rv_colours *colours, void *to, const void *from, size_t width)
{
    const rv_pixel_format f = colours->format;
    if (colours->transform != NULL) {
        cmsDoTransform(colours->transform, from, to, (cmsUInt32Number)width);
    } else if (f.colours == 3) {
        memcpy(to, from, width * (f.alpha ? 4 : 3) * (size_t)(f.bits / 8));
    } else if (f.colours == 4) {
        f.bits == 16 ? cmyk_16(to, from, width) : cmyk_8(to, from, width);
    } else {
        f.bits == 16 ? grey_16(to, from, width, f.alpha) : grey_8(to, from, width, f.alpha);
    }
}
