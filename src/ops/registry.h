/* All operations: the one line that a new operation adds outside its own files.
 * The tests expand the same list, so that an operation without test cases does not link. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_OPS_REGISTRY_H
#define RV_OPS_REGISTRY_H

/* Each line stands alone, so that two additions do not meet. */
/* clang-format off */
#define RV_OPS(X) \
    X(add) \
    X(average_pool) \
    X(batch_norm) \
    X(binary_cross_entropy) \
    X(binomial_pool) \
    X(clip) \
    X(concat) \
    X(conv) \
    X(cross_entropy) \
    X(dense) \
    X(deviation_loss) \
    X(dot_loss) \
    X(dropout) \
    X(elu) \
    X(gram) \
    X(guide) \
    X(leaky_relu) \
    X(lrn) \
    X(match_loss) \
    X(max_pool) \
    X(maximum) \
    X(mse_loss) \
    X(multiply) \
    X(prelu) \
    X(preprocess) \
    X(range_loss) \
    X(relu) \
    X(reorder) \
    X(resize) \
    X(rrelu) \
    X(scale) \
    X(selu) \
    X(sigmoid) \
    X(softmax) \
    X(sqrt) \
    X(square) \
    X(tanh) \
    X(tv_loss) \
    X(weighted_add) \
    X(wasserstein_loss) \
    /* the end */
/* clang-format on */

#endif
