/* What most work on CPUs needs without defines, as one program: see together() in program.c. */
/* SPDX-License-Identifier: MIT */
#include "conv.cl"
#include "gram.cl"
#include "gram_cpu.cl"
#include "mse_loss.cl"
#include "pool.cl"
#include "range_loss.cl"
#include "reduce.cl"
#include "reorder.cl"
#include "resize.cl"
#include "vector.cl"
