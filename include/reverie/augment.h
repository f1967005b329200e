/* Augmentation: many pictures out of few, turned, coloured and noised by a recipe. */
/* SPDX-License-Identifier: MIT */
#ifndef REVERIE_AUGMENT_H
#define REVERIE_AUGMENT_H

#include <reverie/device.h>
#include <reverie/image.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rv_augment_options {
    size_t struct_size;
    const char *recipe; /**< a YAML file, "light" or "photo"; NULL: photo */
    int copies;         /**< of each picture, at least 1; default 1 */
    uint64_t total;     /**< not 0: that many in all, shared out evenly; goes before `copies` */
    uint32_t seed;      /**< of everything drawn at random; default 0 */
    int quality;        /**< of the JPEG files, 1 to 100; default 90 */
    int threads;        /**< that read and write files; 0: by processors */
    bool overwrite;     /**< remove what another run has made; default false: RV_ERR_USAGE */
    bool strict;        /**< stop at a picture that cannot be read; default false: it is skipped */
    bool dry_run;       /**< count only; default false */
    rv_image_read_options read;
    const rv_events *events;
} rv_augment_options;
#define RV_AUGMENT_OPTIONS_INIT                                                \
    {                                                                          \
        sizeof(rv_augment_options), NULL, 1, 0, 0, 90, 0, false, false, false, \
            RV_IMAGE_READ_OPTIONS_INIT, NULL                                   \
    }

typedef struct rv_augment_skip {
    char *file; /**< below the source folder */
    char *reason;
} rv_augment_skip;

/** What came of it; freed with rv_augment_result_release(). */
typedef struct rv_augment_result {
    uint64_t sources;  /**< pictures found */
    uint64_t wanted;   /**< outputs of the whole run */
    uint64_t written;  /**< by this call */
    uint64_t existing; /**< by earlier calls */
    double seconds;
    rv_augment_skip *skipped;
    size_t n_skipped;
} rv_augment_result;

/** Writes augmented copies of all pictures below `source` to `target`, in folders of the same names:
 *  "CLASS/NAME.jpg" becomes "CLASS/NAME__aug0.jpg" and so on, JPEG 4:2:0; "CLASS/NAME.png" becomes
 *  "CLASS/NAME.png__aug0.jpg" only where both are there. target/manifest.jsonl has a line for each with what was
 *  drawn. A copy depends on recipe, seed, path of its picture and its number alone. Copies that the manifest has and
 *  whose files are there and not empty are not made again, so a run that was stopped in any way goes on where it was.
 *  @param[out] result  set on success and failure alike.
 *  @return RV_ERR_USAGE: target lies in source, or holds a run with other options; RV_ERR_FORMAT: the recipe, with
 *          line and key, or with `strict` a picture; RV_ERR_NOT_FOUND: no pictures; RV_ERR_IO; RV_ERR_CANCELLED. */
RV_API RV_NODISCARD rv_status rv_augment(rv_augment_result *result, rv_device *device,
                                         const char *source, const char *target,
                                         const rv_augment_options *options);
RV_API void rv_augment_result_release(rv_augment_result *result);

/** A sheet of `rows` pictures, taken evenly from the set, each with `columns` copies beside it.
 *  @param cell  side of a cell in pixels. */
RV_API RV_NODISCARD rv_status rv_augment_preview(rv_image **out, rv_device *device,
                                                 const char *source, int rows, int columns,
                                                 int cell, const rv_augment_options *options);

#ifdef __cplusplus
}
#endif
#endif
