/* The list of what a run has written, a JSON object a line: it tells the next run what is left to do. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_STAGES_MANIFEST_H
#define RV_STAGES_MANIFEST_H

#include <jansson.h>
#include <reverie/status.h>
#include <stdbool.h>

typedef struct rv_manifest rv_manifest;

/** Opens or starts `folder`/manifest.jsonl. A last line that was cut short is dropped.
 *  @param header  what shapes all outputs: the first line; borrowed.
 *  @param fresh   remove what another run has left, that is the outputs that its lines name in the folder.
 *  @return RV_ERR_USAGE where the file is of a run with another header, or of one that is still at work; RV_ERR_IO. */
RV_NODISCARD rv_status rv_manifest_open(rv_manifest **out, const char *folder, const json_t *header,
                                        bool fresh);
/** Whether an earlier run has written this output. */
bool rv_manifest_has(const rv_manifest *manifest, const char *output);
/** Whether there was a file to go on from. */
bool rv_manifest_resumed(const rv_manifest *manifest);
/** Adds a line; from any thread. @param entry  with a string "output"; borrowed */
RV_NODISCARD rv_status rv_manifest_add(rv_manifest *manifest, const json_t *entry);
/** Puts the lines in the order of their text, so that threads leave no trace, and frees. NULL is fine. */
RV_NODISCARD rv_status rv_manifest_close(rv_manifest *manifest);

#endif
