/* Running a network over pictures: class scores and the values of any layer. */
/* SPDX-License-Identifier: MIT */
#ifndef REVERIE_FEATURES_H
#define REVERIE_FEATURES_H

#include <reverie/device.h>
#include <reverie/events.h>
#include <reverie/image.h>
#include <reverie/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A model on a device, ready to run over one picture after another. */
typedef struct rv_features rv_features;

/** Values of one layer for the last picture. */
typedef struct rv_feature_map {
    const char *layer; /**< as it was asked for; borrowed */
    int rank;
    size_t dim[4];     /**< N,C,H,W for rank 4 */
    const float *data; /**< row major; borrowed until the next run */
} rv_feature_map;

typedef struct rv_prediction {
    int index;         /**< class number, from 0 */
    const char *label; /**< its name, NULL where the model has none; borrowed from the model */
    float probability; /**< as the model's last layer gives it; where it is made for quantities the
                            quantity, in its units */
} rv_prediction;

/** Uploads the weights that `layers` need.
 *  @param model   of kind RV_MODEL_NETWORK; must outlive *out.
 *  @param layers  node or top names whose values are wanted; NULL with n_layers 0: the last layer.
 *  @return RV_ERR_NOT_FOUND names an unknown layer, the nearest one and all; RV_ERR_FORMAT names
 *          a tensor with a NaN. */
RV_API RV_NODISCARD rv_status rv_features_create(rv_features **out, const rv_model *model,
                                                 rv_device *device, const char *const *layers,
                                                 size_t n_layers);
RV_API void rv_features_destroy(rv_features *features);

/** Runs over a picture: its middle in the shape of the model's own pictures, resized at once to their size; of the
 *  shorter side all, where Reverie trained the model, else 227/256, as most networks are measured. */
RV_API RV_NODISCARD rv_status rv_features_run_image(rv_features *features, const rv_image *image);

/** Runs over a file: a .npy array [N,C,H,W] is what the network itself takes (after any
 *  preprocessing) and is used as it is, all else is read as a picture.
 *  @param read  NULL for defaults. */
RV_API RV_NODISCARD rv_status rv_features_run_file(rv_features *features, const char *path,
                                                   const rv_image_read_options *read);

/** A model that runs over many files, several pictures at a time, while threads read those to come. */
typedef struct rv_feature_stream rv_feature_stream;

typedef struct rv_feature_stream_options {
    size_t struct_size;
    int batch; /**< pictures of a run; fewer where there are not so many, or little memory on the device; 0: 8 */
    int threads;  /**< that read pictures; 0: by processors */
    size_t first; /**< file to begin with: 0, or one behind which an earlier stream said `pause` */
    const rv_image_read_options *read; /**< NULL for defaults */
    const rv_events
        *events; /**< asked whether to stop, and told what `read` would log; may be NULL */
} rv_feature_stream_options;
#define RV_FEATURE_STREAM_OPTIONS_INIT                         \
    {                                                          \
        sizeof(rv_feature_stream_options), 0, 0, 0, NULL, NULL \
    }

/** What came of a file. */
typedef struct rv_feature_rows {
    size_t file;     /**< index; the number of files: there are no more */
    size_t first, n; /**< its pictures among those of the last run: a tensor may hold several */
    bool pause; /**< the next file belongs to another run: values of this one are there no more */
} rv_feature_rows;

/** Begins to read ahead.
 *  @param features  must outlive *out, and is run by nobody else meanwhile.
 *  @param files     as rv_features_run_file() takes them; borrowed. */
RV_API RV_NODISCARD rv_status rv_feature_stream_create(rv_feature_stream **out,
                                                       rv_features *features,
                                                       const char *const *files, size_t n_files,
                                                       const rv_feature_stream_options *options);
/** Goes on to the next file, and runs where it is the first of several. What is behind the last picture of a run stands
 *  for none.
 *  @return what is wrong with this file, and the next one may do; RV_ERR_CANCELLED: events said so, the stream ends */
RV_API RV_NODISCARD rv_status rv_feature_stream_next(rv_feature_stream *stream,
                                                     rv_feature_rows *out);
/** NULL is fine. */
RV_API void rv_feature_stream_destroy(rv_feature_stream *stream);

/** One line of text that is another wherever values may be: of the program, the weights, the preprocessing, the layers,
 *  the device, and the names of the files to be run over. Freed with free(). */
RV_API RV_NODISCARD rv_status rv_features_signature(char **out, const rv_features *features,
                                                    const char *const *files, size_t n_files);

RV_API size_t rv_features_count(const rv_features *features);
/** Values of layer `index` (in the order of creation) for the last run. */
RV_API rv_feature_map rv_features_map(const rv_features *features, size_t index);

/** The k likeliest classes of picture `picture` of the last run, best first; equal ones by index. Of a model for
 *  quantities the first k of them, in their order.
 *  @param[out] out  room for k.
 *  @param[out] n    how many there are: k, or fewer classes.
 *  @return RV_ERR_USAGE where the first layer asked for gives no class scores ([N,K] or
 *          [N,K,1,1]), k is 0, or nothing was run. */
RV_API RV_NODISCARD rv_status rv_classify(rv_prediction *out, size_t *n,
                                          const rv_features *features, size_t picture, size_t k);

/** Writes the values of layer `index` as a .npy file, float32, NCHW; complete or not at all.
 *  @return RV_ERR_USAGE where `path` exists and `overwrite` is false. */
RV_API RV_NODISCARD rv_status rv_extract(const rv_features *features, size_t index,
                                         const char *path, bool overwrite);

/** What a table keeps of a layer of rank 4. */
typedef enum rv_feature_pool {
    RV_FEATURE_POOL_NONE,    /**< all values */
    RV_FEATURE_POOL_AVERAGE, /**< the mean of each channel */
    RV_FEATURE_POOL_MAX      /**< its largest value */
} rv_feature_pool;

/** A file that takes the values of layers, run after run: a row per picture, [N,C,H,W] or, pooled, [N,C]. Rows go to
 *  the disk as they come; the file appears whole or not at all. By the ending of its name it is
 *  .npy: one layer, float32;
 *  .npz: a .npy array per layer, of its name, in a zip file, not compressed;
 *  .safetensors: a tensor F32 per layer, of its name;
 *  .csv: one layer; a line per picture, which starts with the name of its file, below a line of headings. */
typedef struct rv_feature_table rv_feature_table;

typedef struct rv_feature_table_options {
    rv_feature_pool pool;
    bool overwrite;    /**< replace files that exist */
    const char *names; /**< a .csv file "row,file" that says where the rows come from; NULL: none */
    bool
        resumable; /**< rows go to PATH.part (and PATH.1.part for the second layer, and so on), which stays where
                            the process ends, for `mark` */
    const char *
        mark; /**< NULL, or goes on behind the rows of this rv_feature_table_mark() of the same table */
} rv_feature_table_options;

/** Whether a file of that name takes that many layers: RV_ERR_USAGE, and why not. */
RV_API RV_NODISCARD rv_status rv_feature_table_check_name(const char *path, size_t n_layers);

/** @param layers   indices in the rv_features whose runs are added; copied.
 *  @param options  NULL: all values, nothing is replaced.
 *  @return RV_ERR_USAGE, RV_ERR_IO: it cannot be written there; RV_ERR_FORMAT, RV_ERR_NOT_FOUND: the mark is damaged, or
 *          of files that are not as they were. */
RV_API RV_NODISCARD rv_status rv_feature_table_create(rv_feature_table **out, const char *path,
                                                      const size_t *layers, size_t n_layers,
                                                      const rv_feature_table_options *options);
/** Whether the last run can be added: its shapes but for the batch are those of the first.
 *  @return RV_ERR_SHAPE names both */
RV_API RV_NODISCARD rv_status rv_feature_table_check(const rv_feature_table *table,
                                                     const rv_features *features);
/** Adds pictures of the last run as rows, having checked it.
 *  @param first  the first of `n` pictures.
 *  @param file   where they are from, for the names.
 *  @return RV_ERR_USAGE: there are not so many; RV_ERR_IO: it cannot be written; the table is of no more use. */
RV_API RV_NODISCARD rv_status rv_feature_table_add(rv_feature_table *table,
                                                   const rv_features *features, size_t first,
                                                   size_t n, const char *file);
/** Shape of the rows of layer `k` of those of the table so far, without data. Rank 0 before the first. */
RV_API rv_feature_map rv_feature_table_map(const rv_feature_table *table, size_t k);
/** Makes sure that the disk has all rows so far, of a resumable table, and says where that is. Later rows do no harm.
 *  @param[out] out  one line of text, freed with free() */
RV_API RV_NODISCARD rv_status rv_feature_table_mark(rv_feature_table *table, char **out);
/** Frees a table, and leaves the .part files of a resumable one. NULL is fine. */
RV_API void rv_feature_table_keep(rv_feature_table *table);
/** Completes the file, of one row at least, and frees the table in any case; where that fails, as with
 *  rv_feature_table_keep(). */
RV_API RV_NODISCARD rv_status rv_feature_table_finish(rv_feature_table *table);
/** Frees a table and leaves no file; NULL is fine. */
RV_API void rv_feature_table_discard(rv_feature_table *table);

#ifdef __cplusplus
}
#endif
#endif
