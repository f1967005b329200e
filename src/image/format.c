/* The formats of picture files that this build reads and writes: found by content, or by the name of an output. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/file.h"
#include "image/internal.h"

#include <strings.h>

static const rv_image_format *const formats[] = {
    &rv_jpeg_format,
    &rv_png_format,
#ifdef RV_HAVE_TIFF
    &rv_tiff_format,
#endif
#ifdef RV_HAVE_WEBP
    &rv_webp_format,
#endif
};

enum { FORMATS = sizeof formats / sizeof *formats };

/* As formats[] has them. */
#ifdef RV_HAVE_TIFF
#define TIFF_NAME       ", TIFF"
#define TIFF_EXTENSIONS ", .tif, .tiff"
#else
#define TIFF_NAME       ""
#define TIFF_EXTENSIONS ""
#endif
#ifdef RV_HAVE_WEBP
#define WEBP_NAME       ", WebP"
#define WEBP_EXTENSIONS ", .webp"
#else
#define WEBP_NAME       ""
#define WEBP_EXTENSIONS ""
#endif

const char *rv_image_formats(void)
{
    return "JPEG, PNG" TIFF_NAME WEBP_NAME;
}

const rv_image_format *rv_format_of_content(const rv_image_source *source)
{
    for (int i = 0; i < FORMATS; i++) {
        if (formats[i]->recognise(source)) {
            return formats[i];
        }
    }
    return NULL;
}

static const rv_image_format *find(const char *path)
{
    const char *extension = rv_path_extension(path);
    for (int i = 0; i < FORMATS; i++) {
        for (const char *const *e = formats[i]->extensions; *e != NULL; e++) {
            if (strcasecmp(extension, *e) == 0) {
                return formats[i];
            }
        }
    }
    return NULL;
}

bool rv_image_has_name(const char *path)
{
    return find(path) != NULL;
}

rv_status rv_format_of_name(const rv_image_format **out, const char *path)
{
    *out = find(path);
    if (*out != NULL) {
        return RV_OK;
    }
    return rv_fail(RV_ERR_USAGE,
                   "cannot write %s: the name must end in one of .jpg, .jpeg, "
                   ".png" TIFF_EXTENSIONS WEBP_EXTENSIONS,
                   path);
}

rv_status rv_format_check(const rv_image_format *format, const rv_image *image, const char *path)
{
    if (image->channels == 4 && !format->alpha) {
        return rv_fail(RV_ERR_USAGE,
                       "cannot write %s: %s holds no transparency; write a .png instead", path,
                       format->name);
    }
    if (format->side > 0 && (image->width > format->side || image->height > format->side)) {
        return rv_fail(RV_ERR_USAGE,
                       "cannot write %s: %s has at most %d pixels a side; write a .png instead",
                       path, format->name, format->side);
    }
    return RV_OK;
}
