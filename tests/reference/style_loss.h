/* The loss of style transfer on a small network, in double precision: what the whole engine must agree with. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TESTS_STYLE_LOSS_H
#define RV_TESTS_STYLE_LOSS_H

/** conv1 3x3 -> relu1 -> max pooling 2x2 -> conv2 3x3 -> relu2 -> conv3 1x1 -> relu3, each
 *  convolution keeping its size; input B,G,R, 0..255, less 104, 117, 123. */
typedef struct rv_twin_network {
    int channels[4]; /**< 3 and the outputs of the convolutions */
    const float *weight[3], *bias[3];
} rv_twin_network;

/** [3,H,W], R,G,B, 0..1. */
typedef struct rv_twin_picture {
    int height, width;
    const double *data;
} rv_twin_picture;

typedef struct rv_twin_loss {
    double content_weight, style_weight, tv_weight;
    double relu1_share, relu2_share; /**< of the style loss; the content is relu3 */
    rv_twin_picture content;
    rv_twin_picture styles[2];
    double shares[2];
    const double *regions
        [2]; /**< [H,W] of the picture, 0..1: where each style goes, whatever its share; NULL: both
                                   everywhere, mixed */
    const double *visible; /**< [H,W]: what of the photo counts; NULL: all */
    const double *seen[2]; /**< [H,W] of each style: what of it counts; NULL: all */
} rv_twin_loss;

/** With guides g = c / max c, c the share of a layer's field that lies in a region: G = sum over positions of g^2 F F^T /
 *  sum of g^2, weighed by the mean of g^2; the mean of (F - P)^2 and P^2 likewise. Without, all g are 1:
 *  content_weight * mean((F - P)^2) / mean(P^2) + style_weight * sum of shares * mean((G - A)^2) /
 *  mean(A^2) + tv_weight * sum of squared differences / values. */
double twin_style_loss(const rv_twin_network *network, const rv_twin_loss *loss,
                       const rv_twin_picture *picture);

#endif
