/* Expressions of goals: what they mean, how they are written back, and where mistakes are. */
/* SPDX-License-Identifier: MIT */
#include "stages/goal.h"
#include "support/assert.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static void gives(const char *text, const char *expected)
{
    rv_goals goals, again;
    char *back, *twice;
    RV_ASSERT_OK(rv_goals_parse(&goals, text));
    RV_ASSERT_OK(rv_goals_text(&back, &goals));
    cr_assert_str_eq(back, expected);
    RV_ASSERT_OK(rv_goals_parse(&again, back));
    RV_ASSERT_OK(rv_goals_text(&twice, &again));
    cr_assert_str_eq(twice, expected);
    free(back);
    free(twice);
    rv_goals_release(&goals);
    rv_goals_release(&again);
}

Test(goal, expressions_are_read_and_written)
{
    gives("conv4_2", "conv4_2");
    gives("conv4_2 + 2*conv5_1:17 - 0.1*tv", "conv4_2+2*conv5_1:17-0.1*tv");
    gives(" - conv1 * 2*3 ", "-6*conv1");
    gives("inception_4c/output*.5", "0.5*inception_4c/output");
    gives("a:3,17,40..44,50,51", "a:3,17,40..44,50,51");
    gives("a:7@0.5,0.25", "a:7@0.5,0.25");
    gives("class:tench + class:'German shepherd' + class:12",
          "class:tench+class:'German shepherd'+class:'12'");
    gives("2*guide:3b/output", "2*guide:3b/output");
    gives("'a-b' + \"it's\" + 'tv' + 'class':3", "'a-b'+\"it's\"+'tv'+'class':3");
    gives("3x3 + 2*4a", "3x3+2*4a");
}

Test(goal, kinds_and_numbers)
{
    rv_goals g;
    RV_ASSERT_OK(rv_goals_parse(&g, "a - 2*b:3,5@0.25,0.5 + class:cat + guide:c - 1e-1*tv"));
    cr_assert_eq(g.n, 5);
    cr_assert_eq(g.items[0].kind, RV_GOAL_LAYER);
    cr_assert_eq(g.items[1].kind, RV_GOAL_UNIT);
    cr_assert_float_eq(g.items[1].weight, -2, 0);
    cr_assert_eq(g.items[1].n_channels, 2);
    cr_assert_eq(g.items[1].channels[1], 5);
    cr_assert_float_eq(g.items[1].x, 0.25, 0);
    cr_assert_float_eq(g.items[1].y, 0.5, 0);
    cr_assert_eq(g.items[1].at, 7);
    cr_assert_eq(g.items[2].kind, RV_GOAL_CLASS);
    cr_assert_str_eq(g.items[2].name, "cat");
    cr_assert_eq(g.items[3].kind, RV_GOAL_GUIDE);
    cr_assert_str_eq(g.items[3].name, "c");
    cr_assert_eq(g.items[4].kind, RV_GOAL_VARIATION);
    cr_assert_float_eq(g.items[4].weight, -0.1, 1e-15);
    rv_goals_release(&g);
}

static void refuses(const char *text, const char *message)
{
    rv_goals goals;
    RV_ASSERT_FAILS(rv_goals_parse(&goals, text), RV_ERR_USAGE, message);
    cr_assert_null(goals.items);
}

Test(goal, mistakes_have_a_place)
{
    refuses("", "a layer is missing at the end of ''");
    refuses("a + * 2", "a layer is missing at character 5 of 'a + * 2'");
    refuses("a b", "+, - or * is missing at character 3");
    refuses("a +", "a layer is missing at the end of 'a +'");
    refuses("2", "there is no layer to the number at character 1");
    refuses("a*b", "only numbers multiply a layer, not what stands at character 3");
    refuses("a:", "the number of a channel is missing at the end");
    refuses("a:x", "the number of a channel is missing at character 3");
    refuses("a:7..3", "channels go from the lower to the higher");
    refuses("a:1@0.5", "the height of a place is missing at the end");
    refuses("a:1@0.5,1", "a place is two shares");
    refuses("0*a", "a weight is 0, or beyond a million, at character 1");
    refuses("a + 'b", "a quote is not closed that opens at character 5");
    refuses("class:", "the name of a class is missing at the end");
    refuses("a:1:2", "+, - or * is missing at character 4");
}
