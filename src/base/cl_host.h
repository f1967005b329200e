/* The few words of OpenCL C that text shared with kernels needs, for C11. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_BASE_CL_HOST_H
#define RV_BASE_CL_HOST_H

#include <math.h>
#include <stdint.h>

#define RV_CL_HOST
typedef unsigned int uint;

static inline uint mul_hi(uint a, uint b)
{
    return (uint)(((uint64_t)a * b) >> 32);
}

#endif
