/* Reverie's own model files: safetensors whose metadata holds the graph. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_MODEL_OWN_H
#define RV_MODEL_OWN_H

#include "model/model.h"
#include "model/safetensors.h"

/** "NODE.weight": name of the tensor of a parameter or state; `prefix` stands before it. */
RV_NODISCARD rv_status rv_own_tensor_name(char **out, const char *prefix, const rv_param *param);

/** Writes a model: the network of `model` with the values given.
 *  @param classes    names of its classes; NULL: those of the model.
 *  @param tensors    named by rv_own_tensor_name() without prefix, and whatever else a checkpoint keeps.
 *  @param whole      it learned from whole pictures; else from as much of them as `model` sees.
 *  @param training   what a checkpoint notes, as JSON; NULL: nothing. */
RV_NODISCARD rv_status rv_own_write(const char *path, const rv_model *model,
                                    const char *const *classes, size_t n_classes,
                                    const rv_stored_tensor *tensors, size_t n_tensors, bool whole,
                                    const char *training);

/** Fails with RV_ERR_USAGE, naming the first layer that differs, where `file` (of the name `path`) does not hold the
 *  layers of `model`. */
RV_NODISCARD rv_status rv_own_check_layers(const rv_safetensors *file, const rv_model *model,
                                           const char *path);

/** Keys of the metadata. */
#define RV_OWN_FORMAT     "reverie.format_version"
#define RV_OWN_GRAPH      "reverie.graph"
#define RV_OWN_LICENCE    "reverie.licence"
#define RV_OWN_PROVENANCE "reverie.provenance"
#define RV_OWN_TRAINING   "reverie.training"

#endif
