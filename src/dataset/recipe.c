/* Reads recipes: YAML against the table of transforms. */
/* SPDX-License-Identifier: MIT */
#include "dataset/recipe.h"
#include "base/error.h"
#include "base/file.h"
#include "base/system.h"
#include "base/yaml.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* --- recipes of the program ------------------------------------------------------------------------------- */

static const char light[] = "transforms:\n"
                            "  - horizontal_flip: {p: 0.5}\n"
                            "  - affine: {rotate: 10, scale: [0.9, 1.1], translate: 0.05}\n"
                            "  - color_jitter: {brightness: 0.1, contrast: 0.1, saturation: 0.1}\n";

static const char photo[] =
    "transforms:\n"
    "  - horizontal_flip: {p: 0.5}\n"
    "  - affine: {rotate: 20, scale: [0.8, 1.2], translate: 0.1, shear: 8}\n"
    "  - color_jitter: {brightness: 0.3, contrast: 0.3, saturation: 0.3, hue: 0.03}\n"
    "  - gaussian_blur: {sigma: [0.3, 1.2], p: 0.2}\n"
    "  - gaussian_noise: {std: [0.01, 0.05], p: 0.3}\n"
    "  - random_erasing: {p: 0.15}\n";

static const char *const names[] = {"light", "photo", NULL};
static const char *const texts[] = {light, photo};

const char *const *rv_recipe_names(void)
{
    return names;
}

/* --- one transform ---------------------------------------------------------------------------------------- */

static rv_status read_range(rv_recipe_step *step, int i, rv_yaml *yaml, yaml_node_t *node,
                            const char *what)
{
    const rv_transform_param *p = &step->transform->params[i];
    if (node->type != YAML_SEQUENCE_NODE) {
        double x;
        RV_TRY(rv_yaml_number(&x, yaml, node, p->kind == RV_PARAM_EXACT ? p->min : 0,
                              p->kind == RV_PARAM_AROUND_ONE ? INFINITY : p->max, what));
        step->low[i] = p->kind == RV_PARAM_EXACT         ? x
                       : p->kind == RV_PARAM_AROUND_ZERO ? fmax(-x, p->min)
                                                         : fmax(1 - x, 0);
        step->high[i] = p->kind == RV_PARAM_AROUND_ONE ? fmin(1 + x, p->max) : x;
        return RV_OK;
    }
    const yaml_node_item_t *item = node->data.sequence.items.start;
    if (node->data.sequence.items.top - item != 2) {
        return rv_yaml_fail(yaml, node, "%s takes a number or [low, high]", what);
    }
    RV_TRY(rv_yaml_number(&step->low[i], yaml, rv_yaml_node(yaml, item[0]), p->min, p->max, what));
    RV_TRY(rv_yaml_number(&step->high[i], yaml, rv_yaml_node(yaml, item[1]), p->min, p->max, what));
    if (step->low[i] > step->high[i]) {
        return rv_yaml_fail(yaml, node, "%s: the range [%g, %g] is upside down", what, step->low[i],
                            step->high[i]);
    }
    return RV_OK;
}

static rv_status read_choice(double *out, const rv_transform_param *p, const rv_yaml *yaml,
                             const yaml_node_t *node, const char *what)
{
    const char *text = rv_yaml_text(node);
    rv_text all = {0};
    for (int k = 0; p->choices[k] != NULL; k++) {
        if (text != NULL && strcmp(text, p->choices[k]) == 0) {
            *out = k;
            rv_text_release(&all);
            return RV_OK;
        }
        rv_text_append(&all, "%s%s", k > 0 ? ", " : "", p->choices[k]);
    }
    const rv_status status = rv_yaml_fail(yaml, node, "%s is one of %s", what,
                                          all.data != NULL ? all.data : "its choices");
    rv_text_release(&all);
    return status;
}

static rv_status read_param(rv_recipe_step *step, int i, rv_yaml *yaml, yaml_node_t *node)
{
    const rv_transform_param *p = &step->transform->params[i];
    char what[96];
    snprintf(what, sizeof what, "%s of %s", p->name, step->transform->name);
    if (p->kind == RV_PARAM_CHOICE) {
        return read_choice(&step->low[i], p, yaml, node, what);
    }
    if (p->kind != RV_PARAM_WHOLE) {
        return read_range(step, i, yaml, node, what);
    }
    RV_TRY(rv_yaml_number(&step->low[i], yaml, node, p->min, p->max, what));
    return step->low[i] == floor(step->low[i])
               ? RV_OK
               : rv_yaml_fail(yaml, node, "%s is a whole number", what);
}

static int find_param(const rv_transform *t, const char *name)
{
    for (int i = 0; i < RV_TRANSFORM_PARAMS && t->params[i].name != NULL; i++) {
        if (strcmp(t->params[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static rv_status fail_param(const rv_yaml *yaml, const yaml_node_t *node, const rv_transform *t,
                            const char *name)
{
    const char *known[RV_TRANSFORM_PARAMS + 1];
    size_t n = 0;
    rv_text all = {0};
    while (n < RV_TRANSFORM_PARAMS && t->params[n].name != NULL) {
        known[n] = t->params[n].name;
        rv_text_append(&all, "%s, ", known[n]);
        n++;
    }
    known[n++] = "p";
    rv_text_append(&all, "p");
    const rv_status status =
        rv_yaml_fail(yaml, node, "%s has no '%s'; did you mean %s? It knows %s", t->name, name,
                     known[rv_nearest(name, known, n)], all.data != NULL ? all.data : "p");
    rv_text_release(&all);
    return status;
}

static rv_status read_params(rv_recipe_step *step, rv_yaml *yaml, yaml_node_t *node)
{
    const char *text = rv_yaml_text(node);
    if (text != NULL && text[0] == '\0') {
        return RV_OK; /* "- transform:" takes the defaults */
    }
    if (node->type != YAML_MAPPING_NODE) {
        return rv_yaml_fail(yaml, node, "%s takes {key: value, ...}", step->transform->name);
    }
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
         pair < node->data.mapping.pairs.top; pair++) {
        yaml_node_t *key = rv_yaml_node(yaml, pair->key), *value = rv_yaml_node(yaml, pair->value);
        const char *name = rv_yaml_text(key);
        if (name == NULL) {
            return rv_yaml_fail(yaml, key, "a key of %s is no word", step->transform->name);
        }
        if (strcmp(name, "p") == 0) {
            RV_TRY(rv_yaml_number(&step->p, yaml, value, 0, 1, "p"));
            continue;
        }
        const int i = find_param(step->transform, name);
        if (i < 0) {
            return fail_param(yaml, key, step->transform, name);
        }
        RV_TRY(read_param(step, i, yaml, value));
    }
    return RV_OK;
}

/* --- all transforms --------------------------------------------------------------------------------------- */

static rv_status find_transform(const rv_transform **out, const rv_yaml *yaml,
                                const yaml_node_t *node)
{
    const char *name = rv_yaml_text(node);
    if (name == NULL) {
        return rv_yaml_fail(yaml, node, "the name of a transform is a word");
    }
    const char *known[64];
    size_t n = 0;
    rv_text all = {0};
    for (; n < rv_n_transforms; n++) {
        *out = &rv_transforms[n];
        if (strcmp(name, rv_transforms[n].name) == 0) {
            rv_text_release(&all);
            return RV_OK;
        }
        known[n] = rv_transforms[n].name;
        rv_text_append(&all, "%s%s", n > 0 ? ", " : "", known[n]);
    }
    const rv_status status =
        rv_yaml_fail(yaml, node, "there is no transform '%s'; did you mean %s? There are %s", name,
                     known[rv_nearest(name, known, n)], all.data != NULL ? all.data : "others");
    rv_text_release(&all);
    return status;
}

static void set_defaults(rv_recipe_step *step)
{
    step->p = 1;
    for (int i = 0; i < RV_TRANSFORM_PARAMS; i++) {
        step->low[i] = step->transform->params[i].low;
        step->high[i] = step->transform->params[i].high;
    }
}

/* "- name: {...}" or "- name". */
static rv_status read_step(rv_recipe *recipe, rv_yaml *yaml, yaml_node_t *node)
{
    if (recipe->n == RV_RECIPE_STEPS) {
        return rv_yaml_fail(yaml, node, "there are more than %d transforms", RV_RECIPE_STEPS);
    }
    rv_recipe_step *step = &recipe->steps[recipe->n];
    yaml_node_t *name = node, *params = NULL;
    if (node->type == YAML_MAPPING_NODE) {
        yaml_node_pair_t *pair = node->data.mapping.pairs.start;
        if (node->data.mapping.pairs.top - pair != 1) {
            return rv_yaml_fail(yaml, node,
                                "one transform to a line, as in '- horizontal_flip: {p: 0.5}'");
        }
        name = rv_yaml_node(yaml, pair->key);
        params = rv_yaml_node(yaml, pair->value);
    }
    RV_TRY(find_transform(&step->transform, yaml, name));
    set_defaults(step);
    if (params != NULL) {
        RV_TRY(read_params(step, yaml, params));
    }
    const char *wrong = step->transform->check != NULL ? step->transform->check(step) : NULL;
    if (wrong != NULL) {
        return rv_yaml_fail(yaml, name, "%s %s", step->transform->name, wrong);
    }
    recipe->n++;
    return RV_OK;
}

static rv_status read_recipe(rv_recipe *recipe, rv_yaml *yaml)
{
    yaml_node_t *root = rv_yaml_root(yaml), *list = NULL;
    if (root->type == YAML_MAPPING_NODE) {
        for (yaml_node_pair_t *pair = root->data.mapping.pairs.start;
             pair < root->data.mapping.pairs.top; pair++) {
            yaml_node_t *key = rv_yaml_node(yaml, pair->key);
            const char *text = rv_yaml_text(key);
            if (text == NULL || strcmp(text, "transforms") != 0) {
                return rv_yaml_fail(yaml, key, "a recipe has no '%s', only 'transforms'",
                                    text != NULL ? text : "?");
            }
            list = rv_yaml_node(yaml, pair->value);
        }
    }
    if (list == NULL || list->type != YAML_SEQUENCE_NODE) {
        return rv_yaml_fail(yaml, root, "a recipe is 'transforms:' with a list of '- name: {...}'");
    }
    for (yaml_node_item_t *item = list->data.sequence.items.start;
         item < list->data.sequence.items.top; item++) {
        RV_TRY(read_step(recipe, yaml, rv_yaml_node(yaml, *item)));
    }
    return recipe->n > 0 ? RV_OK : rv_yaml_fail(yaml, list, "the recipe has no transforms");
}

static uint64_t hash_of(const rv_recipe *recipe)
{
    uint64_t hash = RV_HASH_START;
    for (int i = 0; i < recipe->n; i++) {
        const rv_recipe_step *s = &recipe->steps[i];
        hash = rv_hash(hash, s->transform->name, strlen(s->transform->name) + 1);
        hash = rv_hash(hash, &s->p, sizeof s->p);
        hash = rv_hash(rv_hash(hash, s->low, sizeof s->low), s->high, sizeof s->high);
    }
    return hash;
}

rv_status rv_recipe_parse(rv_recipe *out, const char *text, size_t n, const char *name)
{
    rv_yaml yaml;
    *out = (rv_recipe){0};
    RV_TRY(rv_yaml_parse(&yaml, text, n, name));
    const rv_status status = read_recipe(out, &yaml);
    rv_yaml_release(&yaml);
    out->hash = hash_of(out);
    return status;
}

rv_status rv_recipe_load(rv_recipe *out, const char *name_or_path)
{
    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(name_or_path, names[i]) == 0) {
            return rv_recipe_parse(out, texts[i], strlen(texts[i]), names[i]);
        }
    }
    if (!rv_path_exists(name_or_path)) {
        return rv_fail(RV_ERR_NOT_FOUND,
                       "there is no recipe '%s': name a YAML file, or one of light and photo",
                       name_or_path);
    }
    rv_yaml yaml;
    *out = (rv_recipe){0};
    RV_TRY(rv_yaml_read(&yaml, name_or_path));
    const rv_status status = read_recipe(out, &yaml);
    rv_yaml_release(&yaml);
    out->hash = hash_of(out);
    return status;
}
