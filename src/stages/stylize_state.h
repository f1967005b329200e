/* Where a run of stylize is, in a file: to go on from there as if it had not ended. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_STYLIZE_STATE_H
#define RV_STAGES_STYLIZE_STATE_H

#include "model/safetensors.h"
#include "stages/descent.h"
#include "stages/picture.h"

/** What a run was asked for. Freed by rv_stylize_request_release(). */
typedef struct rv_stylize_request {
    char *settings; /**< all that shapes the picture, pictures included, but for `weights` */
    char *weights;  /**< what may be another when a run goes on */
    char *device;   /**< another one finds slightly other numbers */
} rv_stylize_request;
void rv_stylize_request_release(rv_stylize_request *request);

typedef struct rv_stylize_state {
    int scale;
    int iterations;    /**< of all scales so far */
    double seconds;    /**< so far */
    rv_planar base;    /**< what the scale before gave, for one that has not begun; else no data */
    int width, height; /**< of descent.picture, margin included */
    rv_descent_state descent; /**< done 0: the scale has not begun */
    bool other_weights;       /**< read: they are not those of the request */
    rv_safetensors *file;     /**< read: open, since descent.read reads from it */
} rv_stylize_state;
void rv_stylize_state_release(rv_stylize_state *state);

/** Writes a state, complete or not at all; it replaces the last one. */
RV_NODISCARD rv_status rv_stylize_state_write(const char *path, const rv_stylize_request *request,
                                              const rv_stylize_state *state);
/** @return RV_ERR_USAGE: left by another request, with both; RV_ERR_FORMAT: damaged, or no state at all. */
RV_NODISCARD rv_status rv_stylize_state_read(rv_stylize_state *out, const char *path,
                                             const rv_stylize_request *request,
                                             const rv_events *events);
/** Says that what was read does not fit the run. @return RV_ERR_FORMAT */
RV_NODISCARD rv_status rv_stylize_state_damaged(const char *path);

/** Chains the samples and the size of a picture to a hash, see rv_hash(). */
uint64_t rv_picture_hash(uint64_t hash, const rv_image *image);

#endif
