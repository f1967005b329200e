/* Recipes: what is refused and where, what plain numbers stand for, and what is drawn. */
/* SPDX-License-Identifier: MIT */
#include "dataset/recipe.h"
#include "support/scratch.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static rv_status parse(rv_recipe *recipe, const char *text)
{
    return rv_recipe_parse(recipe, text, strlen(text), "r.yaml");
}

static void refused(const char *text, const char *message)
{
    rv_recipe recipe;
    cr_assert_eq(parse(&recipe, text), RV_ERR_FORMAT, "%s", text);
    cr_assert(strstr(rv_error_message(), message) != NULL, "%s", rv_error_message());
}

Test(recipe, mistakes_are_named_with_their_line)
{
    rv_recipe recipe;
    refused("", "r.yaml:1: the file is empty");
    rv_test_write(rv_test_path("empty.yaml"), "", 0);
    cr_assert_eq(rv_recipe_load(&recipe, rv_test_path("empty.yaml")), RV_ERR_FORMAT);
    cr_assert(strstr(rv_error_message(), "empty.yaml:1: the file is empty") != NULL);
    refused("transforms: [", "r.yaml:2: did not find");
    refused("steps:\n  - affine\n", "r.yaml:1: a recipe has no 'steps'");
    refused("- affine\n", "r.yaml:1: a recipe is 'transforms:'");
    refused("transforms:\n", "r.yaml:1: a recipe is 'transforms:'");
    refused("transforms: []\n", "the recipe has no transforms");
    refused("transforms:\n  - affin: {}\n",
            "r.yaml:2: there is no transform 'affin'; did you mean affine?");
    refused("transforms:\n  - affine:\n      rotat: 3\n",
            "r.yaml:3: affine has no 'rotat'; did you mean rotate?");
    refused("transforms:\n  - affine: {rotate: [10, -10]}\n",
            "r.yaml:2: rotate of affine: the range [10, -10] is upside down");
    refused("transforms:\n  - affine: {rotate: 181}\n",
            "rotate of affine is 181, but must lie from 0 to 180");
    refused("transforms:\n  - affine: {rotate: [1, 2, 3]}\n", "takes a number or [low, high]");
    refused("transforms:\n  - affine: {rotate: much}\n", "takes a number, not 'much'");
    refused("transforms:\n  - affine: {border: wrap}\n", "is one of constant, reflect, replicate");
    refused("transforms:\n  - affine: 3\n", "affine takes {key: value, ...}");
    refused("transforms:\n  - {affine: {}, crop: {}}\n", "one transform to a line");
    refused("transforms:\n  - horizontal_flip: {p: 1.5}\n", "p is 1.5, but must lie from 0 to 1");
    refused("transforms:\n  - crop: {width: 3}\n", "r.yaml:2: crop needs width and height");
    refused("transforms:\n  - crop: {width: 2.5, height: 2}\n", "width of crop is a whole number");
    refused("transforms:\n  - resize: {width: 3, longest: 4}\n", "resize needs width and height");
    refused("transforms:\n  - gaussian_noise: {std: nan}\n", "takes a number, not 'nan'");
}

Test(recipe, files_and_names_are_told_apart)
{
    rv_recipe recipe;
    cr_assert_eq(rv_recipe_load(&recipe, "nosuch"), RV_ERR_NOT_FOUND);
    cr_assert(strstr(rv_error_message(), "light and photo") != NULL);
    for (int i = 0; rv_recipe_names()[i] != NULL; i++) {
        cr_assert_eq(rv_recipe_load(&recipe, rv_recipe_names()[i]), RV_OK, "%s",
                     rv_error_message());
    }
    const char text[] = "transforms:\n- grayscale\n";
    rv_test_write(rv_test_path("mine.yaml"), text, sizeof text - 1);
    cr_assert_eq(rv_recipe_load(&recipe, rv_test_path("mine.yaml")), RV_OK, "%s",
                 rv_error_message());
    cr_assert_eq(recipe.n, 1);
}

Test(recipe, a_plain_number_is_a_range_around_what_changes_nothing)
{
    rv_recipe r;
    cr_assert_eq(parse(&r, "transforms:\n"
                           "  - affine: {rotate: 30, scale: 2}\n"
                           "  - color_jitter: {brightness: 0.3, saturation: 1.5, hue: 0.05}\n"
                           "  - gaussian_noise: {std: 0.1}\n"),
                 RV_OK, "%s", rv_error_message());
    cr_assert(r.steps[0].low[0] == -30 && r.steps[0].high[0] == 30);
    cr_assert(r.steps[0].low[1] == 2 && r.steps[0].high[1] == 2);
    cr_assert_float_eq(r.steps[1].low[0], 0.7, 1e-12);
    cr_assert_float_eq(r.steps[1].high[0], 1.3, 1e-12);
    cr_assert(r.steps[1].low[1] == 1 && r.steps[1].high[1] == 1); /* contrast, not given */
    cr_assert(r.steps[1].low[2] == 0 && r.steps[1].high[2] == 2.5);
    cr_assert(r.steps[1].low[3] == -0.05 && r.steps[1].high[3] == 0.05);
    cr_assert(r.steps[2].low[0] == 0.1 && r.steps[2].high[0] == 0.1);
    cr_assert(r.steps[2].p == 1);
}

Test(recipe, what_it_says_counts_and_not_how_it_is_written)
{
    rv_recipe a, b, c;
    cr_assert_eq(parse(&a, "transforms:\n- affine: {rotate: 30}\n"), RV_OK);
    cr_assert_eq(parse(&b, "# mine\ntransforms: [affine: {rotate: [-30, 30.0], p: 1}]\n"), RV_OK);
    cr_assert_eq(parse(&c, "transforms:\n- affine: {rotate: 31}\n"), RV_OK);
    cr_assert_eq(a.hash, b.hash);
    cr_assert_neq(a.hash, c.hash);
}

Test(recipe, draws_keep_to_their_ranges_and_fill_them)
{
    enum { N = 2000 };
    rv_recipe r;
    cr_assert_eq(parse(&r, "transforms:\n  - affine: {rotate: [-10, 30], translate: 0.1, p: 0.25}\n"
                           "  - random_resized_crop: {width: 32, height: 24}\n"),
                 RV_OK);
    double low = INFINITY, high = -INFINITY, sum = 0;
    int applied = 0;
    for (uint32_t i = 0; i < N; i++) {
        rv_augment_draw d;
        rv_recipe_draw(&d, &r, (rv_draw_key){7, 9, i}, 200, 100);
        cr_assert(d.job.width == 32 && d.job.height == 24);
        cr_assert(d.applied[1]);
        const double *crop = d.values[1];
        cr_assert(crop[0] >= 0 && crop[1] >= 0 && crop[0] + crop[2] <= 200 &&
                  crop[1] + crop[3] <= 100);
        if (d.applied[0]) {
            applied++;
            low = fmin(low, d.values[0][0]);
            high = fmax(high, d.values[0][0]);
            sum += d.values[0][0];
            cr_assert(fabs(d.values[0][2]) <= 20 && fabs(d.values[0][3]) <= 10);
        }
    }
    /* Of 2000 draws at 0.25 the count has a deviation of 19; of 500 angles the mean one of 0.5. */
    cr_assert(abs(applied - N / 4) < 80, "%d", applied);
    cr_assert(low >= -10 && low < -9.5 && high < 30 && high > 29.5, "%g %g", low, high);
    cr_assert_float_eq(sum / applied, 10, 2.5);
}

Test(recipe, a_copy_depends_on_seed_picture_and_number)
{
    rv_recipe r;
    cr_assert_eq(parse(&r, "transforms:\n  - affine: {rotate: 90}\n"), RV_OK);
    static const rv_draw_key keys[] = {{1, 2, 3}, {2, 2, 3}, {1, 3, 3}, {1, 2, 4}};
    double angle[4];
    for (int i = 0; i < 4; i++) {
        rv_augment_draw d, again;
        rv_recipe_draw(&d, &r, keys[i], 10, 10);
        rv_recipe_draw(&again, &r, keys[i], 10, 10);
        cr_assert_eq(memcmp(&d, &again, sizeof d), 0);
        angle[i] = d.values[0][0];
        for (int k = 0; k < i; k++) {
            cr_assert_neq(angle[i], angle[k]);
        }
    }
    cr_assert_neq(rv_picture_key("a/b.jpg"), rv_picture_key("a/c.jpg"));
}

/* The middle stays where it is; a point to the right of it goes down when turned clockwise. */
Test(recipe, affine_turns_clockwise_about_the_middle)
{
    rv_recipe r;
    rv_augment_draw d;
    cr_assert_eq(parse(&r, "transforms:\n  - affine: {rotate: [90, 90], scale: 2}\n"), RV_OK);
    rv_recipe_draw(&d, &r, (rv_draw_key){0}, 40, 20);
    const float *m = d.job.matrix;
    /* The result at (20, 10 + 8) shows the source at (20 + 4, 10). */
    cr_assert_float_eq(m[0] * 20 + m[1] * 18 + m[2], 24, 1e-4);
    cr_assert_float_eq(m[3] * 20 + m[4] * 18 + m[5], 10, 1e-4);
}

Test(recipe, sizes_follow_the_steps)
{
    rv_recipe r;
    rv_augment_draw d;
    cr_assert_eq(parse(&r, "transforms:\n  - resize: {longest: 50}\n"), RV_OK);
    rv_recipe_draw(&d, &r, (rv_draw_key){0}, 200, 100);
    cr_assert(d.job.width == 50 && d.job.height == 25);
    cr_assert_eq(parse(&r,
                       "transforms:\n  - resize: {shortest: 50}\n  - crop: {width: 50, height: 50, "
                       "position: center}\n"),
                 RV_OK);
    rv_recipe_draw(&d, &r, (rv_draw_key){0}, 100, 200);
    cr_assert(d.job.width == 50 && d.job.height == 50);
    cr_assert_float_eq(d.job.matrix[5], 50, 1e-4); /* 25 of 100 rows left out, of two pixels each */
}
