/* Shares a time limit out among the parts of a run. */
/* SPDX-License-Identifier: MIT */
#include "stages/deadline.h"
#include "base/event.h"

#include <math.h>

/* For all that comes behind the last iteration: seconds, and per pixel of the result. */
#define FINISH_SECONDS 1.0
#define FINISH_PIXEL   1e-7

double rv_deadline(double start, double limit, double share, int width, int height)
{
    const double finish = FINISH_SECONDS + FINISH_PIXEL * width * height;
    return limit > 0 ? start + fmax(1e-3, limit - finish) * share : 0;
}

bool rv_deadline_passes(double deadline, double now, double seconds)
{
    return deadline > 0 && now + seconds > deadline;
}

void rv_deadline_say(const rv_events *events, int size, int done, int wanted)
{
    rv_log(events, RV_LOG_INFO, "the time limit ends %d px after %d of %d iterations", size, done,
           wanted);
}
