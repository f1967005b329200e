/* Random numbers by (seed, stream, index), the same on host and device. */
/* SPDX-License-Identifier: MIT */
#ifndef RV_BASE_PHILOX_H
#define RV_BASE_PHILOX_H

#include "base/cl_host.h"

#include "philox.clh"

#endif
