/* ONNX files from a few lines of text, so that a test shows the model that it is about. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_TESTS_ONNX_TEXT_H
#define RV_TESTS_ONNX_TEXT_H

#include <stddef.h>
#include <stdint.h>

/** The bytes of a model; freed with free(). A line each, words between spaces:
 *
 *      opset 13 | producer pytorch | name net
 *      input x 1 3 8 ?             sizes; ? is left open
 *      output y
 *      float W 2 3 1 1 = 1 2 3     an initializer, also int64, double, half (as bits); the values are repeated until
 *                                  they are enough; "packed float", "single float": in the typed field
 *      float W 2 3 1 1 = ~ 0 0.5   drawn by its name, see noise.h: centre and half of the range
 *      const float c 1 = 2         a tensor for an attribute: value=@c
 *      external W 2 3 = location=w.bin offset=4 length=24
 *      Conv c1 x,W,- y kernel_shape=3,3 alpha=0.5 mode=edge
 *                                  operation, name, inputs, outputs (- is none), attributes: whole numbers, one or a
 *                                  list, numbers with a point, texts; DOMAIN:Conv sets the domain */
uint8_t *rv_test_onnx(size_t *size, const char *text);

/** Writes such a file into rv_test_folder(). @return its path, see rv_test_path() */
const char *rv_test_onnx_file(const char *name, const char *text);

#endif
