/* Mean pictures that Caffe takes off: of each, what is taken off a channel. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "model/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const size_t max_file_bytes = (size_t)1 << 28;

static rv_status read_values(float **out, int *rank, size_t dim[RV_NPY_MAX_RANK], const char *path)
{
    rv_bytes bytes;
    if (strcmp(rv_path_extension(path), ".npy") == 0) {
        return rv_npy_read(out, rank, dim, path);
    }
    RV_TRY(rv_bytes_open(&bytes, path, max_file_bytes));
    rv_status status = rv_caffe_blob_read(out, rank, dim, bytes.data, bytes.size);
    if (status != RV_OK) {
        status = rv_fail_context(status, "%s", path);
    }
    rv_bytes_close(&bytes);
    return status;
}

rv_status rv_mean_file_read(float mean[3], const char *path)
{
    float *values = NULL;
    int rank, first = 0;
    size_t dim[RV_NPY_MAX_RANK], pixels = 1;
    RV_TRY(read_values(&values, &rank, dim, path));
    while (first < rank - 1 && dim[first] == 1) {
        first++;
    }
    /* A single channel has lost its own dimension among the leading ones. */
    const bool grey = rank - first == 2 || (rank - first == 1 && dim[first] == 1);
    const size_t channels = grey ? 1 : rank > 0 ? dim[first] : 0;
    for (int i = grey ? first : first + 1; i < rank; i++) {
        pixels *= dim[i];
    }
    rv_status status = RV_OK;
    if ((channels != 3 && channels != 1) || rank - first > 3 || pixels == 0) {
        status = rv_fail(RV_ERR_SHAPE, "%s: a mean picture has 3 channels or 1, not %zu", path,
                         channels);
    }
    for (size_t c = 0; c < 3 && status == RV_OK; c++) {
        double sum = 0;
        for (size_t i = 0; i < pixels; i++) {
            sum += (double)values[(channels == 1 ? 0 : c) * pixels + i];
        }
        mean[c] = (float)(sum / (double)pixels);
        if (!isfinite(mean[c])) {
            status = rv_fail(RV_ERR_FORMAT, "%s: the mean of channel %zu is no number", path, c);
        }
    }
    free(values);
    return status;
}
