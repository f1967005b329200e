/* Everything of Reverie. A whole program:
 *
 *   rv_device *device; rv_model *model; rv_image *photo, *style, *out;
 *   if (rv_device_open(&device, NULL) || rv_model_open(&model, "patches", NULL) ||
 *       rv_image_read(&photo, "photo.jpg", NULL) || rv_image_read(&style, "style.jpg", NULL) ||
 *       rv_stylize(&out, NULL, device, model, photo, (const rv_image *const[]){style}, NULL, 1,
 *                  NULL) ||
 *       rv_image_write(out, "out.jpg", NULL)) {
 *       fprintf(stderr, "%s\n", rv_error_message());
 *   }
 */
/* SPDX-License-Identifier: MIT */
#ifndef REVERIE_REVERIE_H
#define REVERIE_REVERIE_H

#include <reverie/augment.h>
#include <reverie/bench.h>
#include <reverie/device.h>
#include <reverie/dream.h>
#include <reverie/events.h>
#include <reverie/features.h>
#include <reverie/filters.h>
#include <reverie/image.h>
#include <reverie/model.h>
#include <reverie/names.h>
#include <reverie/status.h>
#include <reverie/stylize.h>
#include <reverie/train.h>
#include <reverie/tune.h>
#include <reverie/visualize.h>
#include <reverie/zoo.h>

#ifdef __cplusplus
extern "C" {
#endif

/** "1.0.0"; static. */
RV_API const char *rv_version(void);
/** What it was built with of all that can be left out, such as "CLBlast, TIFF, WebP"; may be empty; static. */
RV_API const char *rv_version_features(void);

#ifdef __cplusplus
}
#endif
#endif
