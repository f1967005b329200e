/* Tuning: what it finds is in the table of the device, and what is planned next goes by it. */
/* SPDX-License-Identifier: MIT */
#include <reverie/tune.h>

#include "graph/plan.h"
#include "model/model.h"
#include "small_network.h"
#include "support/assert.h"
#include "support/device.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static rv_device *device;
static rv_model *model;

static void set_up(void)
{
    device = rv_test_device();
    model = small_network();
    setenv("XDG_CACHE_HOME", rv_test_folder(), 1); /* no table yet */
}

static void tear_down(void)
{
    rv_model_close(model);
    rv_device_close(device);
}

TestSuite(tune, .init = set_up, .fini = tear_down);

/* The algorithm of a layer in a plan that is made now. */
static const char *planned(const char *layer)
{
    static char text[40];
    rv_model_graph graph;
    rv_params *params;
    rv_plan *plan;
    RV_ASSERT_OK(rv_model_build(&graph, model, NULL, 0));
    RV_ASSERT_OK(rv_params_create(&params, device, graph.graph, false));
    const rv_plan_options options = {.outputs = &graph.output, .n_outputs = 1};
    RV_ASSERT_OK(rv_plan_create(&plan, graph.graph, params, device, &options));
    text[0] = '\0';
    const rv_node *n;
    for (size_t i = 0; (n = rv_plan_node_at(plan, i)) != NULL; i++) {
        if (strcmp(n->name, layer) == 0) {
            strcpy(text, n->algorithm[RV_PASS_FORWARD]);
        }
    }
    rv_plan_destroy(plan);
    rv_params_destroy(params);
    rv_graph_destroy(graph.graph);
    return text;
}

static rv_tune_row *tune(const rv_tune_options *options, size_t *n)
{
    rv_tune_row *rows;
    RV_ASSERT_OK(rv_tune(device, model, &rows, n, options));
    for (size_t i = 0; i < *n; i++) {
        cr_assert_gt(rows[i].candidates, 1);
        cr_assert_geq(rows[i].layers, 1);
        cr_assert(rows[i].ms > 0 && rows[i].ms <= rows[i].ms_before, "%g of %g", rows[i].ms,
                  rows[i].ms_before);
        cr_assert(strcmp(rows[i].best, rows[i].before) == 0 || rows[i].ms < rows[i].ms_before);
    }
    return rows;
}

Test(tune, plans_go_by_what_was_found)
{
    rv_tune_options options = RV_TUNE_OPTIONS_INIT;
    size_t n;
    options.purpose = RV_TUNE_INFER;
    rv_tune_row *rows = tune(&options, &n);
    cr_assert_gt(n, 0);
    for (size_t i = 0; i < n; i++) {
        cr_assert_str_eq(rows[i].pass, "forward");
        cr_assert_str_eq(planned(rows[i].name), rows[i].best);
    }
    free(rows);
    /* A new process finds it, too. */
    rv_device_close(device);
    device = rv_test_device();
    rows = tune(&options, &n);
    free(rows);
}

Test(tune, style_transfer_has_two_passes_and_training_three)
{
    rv_tune_options options = RV_TUNE_OPTIONS_INIT;
    size_t n, back = 0;
    options.size = 32;
    rv_tune_row *rows = tune(&options, &n);
    for (size_t i = 0; i < n; i++) {
        back += strcmp(rows[i].pass, "backward_data") == 0;
        cr_assert_str_neq(rows[i].pass, "backward_weights");
    }
    cr_assert_gt(back, 0);
    free(rows);
}

static bool stop(void *payload)
{
    return --*(int *)payload < 0;
}

Test(tune, what_was_found_before_it_was_stopped_is_kept)
{
    rv_tune_options options = RV_TUNE_OPTIONS_INIT;
    rv_tune_row *rows;
    size_t n;
    int left = 40;
    const rv_events events = {.payload = &left, .cancelled = stop};
    options.purpose = RV_TUNE_INFER;
    options.events = &events;
    cr_assert_eq(rv_tune(device, model, &rows, &n, &options), RV_ERR_CANCELLED);
    cr_assert_null(rows);
    cr_assert_eq(rv_test_count_files(rv_test_path("reverie/tuning")), 1);
}

Test(tune, says_what_it_cannot_do)
{
    rv_tune_options options = RV_TUNE_OPTIONS_INIT;
    rv_tune_row *rows;
    size_t n;
    options.size = 15;
    cr_assert_eq(rv_tune(device, model, &rows, &n, &options), RV_ERR_USAGE);
    options.size = 32;
    options.batch = 0;
    cr_assert_eq(rv_tune(device, model, &rows, &n, &options), RV_ERR_USAGE);
}
