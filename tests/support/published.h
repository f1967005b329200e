/* The structure of networks that people have weights of, from the papers and from what their authors published. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TESTS_PUBLISHED_H
#define RV_TESTS_PUBLISHED_H

#include "support/net_file.h"

typedef struct rv_published {
    const char *name;
    void (*build)(rv_net *n, const struct rv_published *p);
    rv_net_format caffe; /**< generation that it was published in */
    rv_net_style style;  /**< of its ONNX file */
    int channels, side;  /**< of pictures as published */
    double level;        /**< rv_net.level */
    double gain; /**< of the classifier's weights, so that its scores differ by a few units */
    const char *middle, *logits; /**< values to compare beside the scores */
    int count;                   /**< of blocks, whatever they are; or layers */
} rv_published;

extern const rv_published rv_published_list[];
extern const int rv_published_count;

const rv_published *rv_published_find(const char *name);

/** Writes it as FOLDER/NAME.prototxt and .caffemodel, or FOLDER/NAME.onnx.
 *  @param divide  divides all counts of channels.
 *  @param side    of the pictures. */
void rv_published_write(const rv_published *p, const char *folder, bool onnx, int divide, int side);
/** The .prototxt alone, as published. */
void rv_published_write_graph(const rv_published *p, const char *folder);

#endif
