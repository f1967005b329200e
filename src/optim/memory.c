/* What optimisers remember from step to step, listed and taken back. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "optim/internal.h"

#include <math.h>

void rv_memory_array(rv_memory *memory, rv_buffer *array, size_t floats)
{
    memory->array[memory->n_arrays] = array;
    memory->floats[memory->n_arrays++] = floats;
}

void rv_memory_number(rv_memory *memory, double number)
{
    memory->number[memory->n_numbers++] = number;
}

rv_status rv_memory_take_real(rv_memory *memory, double *out)
{
    if (memory->taken >= memory->n_numbers || !isfinite(memory->number[memory->taken])) {
        return rv_fail(RV_ERR_FORMAT, "number %d of an optimiser's memory is missing",
                       memory->taken + 1);
    }
    *out = memory->number[memory->taken++];
    return RV_OK;
}

rv_status rv_memory_take(rv_memory *memory, double low, double high, int64_t *out)
{
    double number;
    RV_TRY(rv_memory_take_real(memory, &number));
    if (!(number >= low && number <= high) || floor(number) < number) {
        return rv_fail(RV_ERR_FORMAT, "number %d of an optimiser's memory is %g, not from %g to %g",
                       memory->taken, number, low, high);
    }
    *out = (int64_t)number;
    return RV_OK;
}
