/* Style transfer's loss by plain loops in double precision. */
/* SPDX-License-Identifier: MIT */
#include "reference/style_loss.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct map {
    int c, h, w;
    double *v;
} map;

static map new_map(int c, int h, int w)
{
    return (map){c, h, w, calloc((size_t)(c * h * w), sizeof(double))};
}

static double *at(const map *m, int c, int y, int x)
{
    return &m->v[(c * m->h + y) * m->w + x];
}

/* R,G,B of 0..1 to B,G,R of 0..255 less the means. */
static map preprocess(const rv_twin_picture *p)
{
    static const double means[3] = {104, 117, 123};
    map out = new_map(3, p->height, p->width);
    const int n = p->height * p->width;
    for (int c = 0; c < 3; c++) {
        for (int i = 0; i < n; i++) {
            out.v[c * n + i] = p->data[(2 - c) * n + i] * 255 - means[c];
        }
    }
    return out;
}

/* A k x k convolution that keeps the size, and ReLU. */
static map convolve(map in, int outputs, int k, const float *weight, const float *bias)
{
    map out = new_map(outputs, in.h, in.w);
    for (int o = 0; o < outputs; o++) {
        for (int y = 0; y < in.h; y++) {
            for (int x = 0; x < in.w; x++) {
                double sum = bias[o];
                for (int c = 0; c < in.c; c++) {
                    for (int r = 0; r < k; r++) {
                        for (int s = 0; s < k; s++) {
                            const int v = y + r - k / 2, u = x + s - k / 2;
                            if (v >= 0 && v < in.h && u >= 0 && u < in.w) {
                                sum += *at(&in, c, v, u) * weight[((o * in.c + c) * k + r) * k + s];
                            }
                        }
                    }
                }
                *at(&out, o, y, x) = fmax(sum, 0);
            }
        }
    }
    return out;
}

/* 2x2, stride 2; what is left over at the edge makes a smaller window. */
static map pool(map in)
{
    map out = new_map(in.c, (in.h + 1) / 2, (in.w + 1) / 2);
    for (int c = 0; c < in.c; c++) {
        for (int y = 0; y < in.h; y++) {
            for (int x = 0; x < in.w; x++) {
                double *most = at(&out, c, y / 2, x / 2);
                const double v = *at(&in, c, y, x);
                *most = (y % 2 == 0 && x % 2 == 0) ? v : fmax(*most, v);
            }
        }
    }
    return out;
}

typedef struct features {
    map relu1, relu2, relu3;
} features;

static features run(const rv_twin_network *n, const rv_twin_picture *picture)
{
    features f;
    map in = preprocess(picture);
    f.relu1 = convolve(in, n->channels[1], 3, n->weight[0], n->bias[0]);
    map small = pool(f.relu1);
    f.relu2 = convolve(small, n->channels[2], 3, n->weight[1], n->bias[1]);
    f.relu3 = convolve(f.relu2, n->channels[3], 1, n->weight[2], n->bias[2]);
    free(in.v);
    free(small.v);
    return f;
}

static void release(features *f)
{
    free(f->relu1.v);
    free(f->relu2.v);
    free(f->relu3.v);
}

/* --- regions --------------------------------------------------------------------------------- */

/* The mean of what a 3x3 window sees, edges left out. */
static map look(map in)
{
    map out = new_map(1, in.h, in.w);
    for (int y = 0; y < in.h; y++) {
        for (int x = 0; x < in.w; x++) {
            double sum = 0, n = 0;
            for (int v = y - 1; v <= y + 1; v++) {
                for (int u = x - 1; u <= x + 1; u++) {
                    if (v >= 0 && v < in.h && u >= 0 && u < in.w) {
                        sum += *at(&in, 0, v, u);
                        n++;
                    }
                }
            }
            *at(&out, 0, y, x) = sum / n;
        }
    }
    return out;
}

/* The mean of 2x2 pixels, or of those that are left at the edge. */
static map halve(map in)
{
    map out = new_map(1, (in.h + 1) / 2, (in.w + 1) / 2);
    for (int y = 0; y < in.h; y++) {
        for (int x = 0; x < in.w; x++) {
            const int high = y / 2 * 2 + 1 < in.h ? 2 : 1, wide = x / 2 * 2 + 1 < in.w ? 2 : 1;
            *at(&out, 0, y / 2, x / 2) += *at(&in, 0, y, x) / (high * wide);
        }
    }
    return out;
}

/* Weights g^2 of the positions of relu1 and relu2. */
typedef struct weights {
    map relu1, relu2;
} weights;

static void square(map *m)
{
    double most = 0;
    for (int i = 0; i < m->h * m->w; i++) {
        most = fmax(most, m->v[i]);
    }
    for (int i = 0; i < m->h * m->w; i++) {
        m->v[i] = pow(m->v[i] / most, 2);
    }
}

/* @param region  NULL: all over */
static weights weigh(const double *region, int height, int width)
{
    map m = new_map(1, height, width);
    weights w;
    for (int i = 0; i < height * width; i++) {
        m.v[i] = region != NULL ? region[i] : 1;
    }
    w.relu1 = look(m);
    map half = halve(w.relu1);
    w.relu2 = look(half);
    square(&w.relu1);
    square(&w.relu2);
    free(m.v);
    free(half.v);
    return w;
}

static void release_weights(weights *w)
{
    free(w->relu1.v);
    free(w->relu2.v);
}

static double sum_of(const map *m)
{
    double sum = 0;
    for (int i = 0; i < m->h * m->w; i++) {
        sum += m->v[i];
    }
    return sum;
}

static double area(const map *m)
{
    return sum_of(m) / (m->h * m->w);
}

/* --- losses ---------------------------------------------------------------------------------- */

/* out += share * sum of w F F^T / sum of w */
static void add_gram(map *out, const map *f, const map *w, double share)
{
    const int n = f->h * f->w;
    for (int i = 0; i < f->c; i++) {
        for (int j = 0; j < f->c; j++) {
            double sum = 0;
            for (int k = 0; k < n; k++) {
                sum += w->v[k] * f->v[i * n + k] * f->v[j * n + k];
            }
            *at(out, 0, i, j) += share * sum / sum_of(w);
        }
    }
}

/* mean((a - b)^2) / mean(b^2), w weighing the positions; NULL: all alike */
static double missed(const map *a, const map *b, const map *w)
{
    const int n = b->h * b->w;
    double square = 0, all = 0;
    for (int i = 0; i < b->c * n; i++) {
        const double weight = w != NULL ? w->v[i % n] : 1;
        square += weight * (a->v[i] - b->v[i]) * (a->v[i] - b->v[i]);
        all += weight * b->v[i] * b->v[i];
    }
    return square / all;
}

/* Adds what one style gives for relu1 and relu2. */
static void add_style(map target[2], const rv_twin_network *network, const rv_twin_picture *style,
                      const double *seen, double share)
{
    features f = run(network, style);
    weights all = weigh(seen, style->height, style->width);
    add_gram(&target[0], &f.relu1, &all.relu1, share);
    add_gram(&target[1], &f.relu2, &all.relu2, share);
    release_weights(&all);
    release(&f);
}

/* Of the styles from `first` on, n of them, in a region. */
static double style_of(const rv_twin_network *network, const rv_twin_loss *loss,
                       const features *own, const double *region, int first, int n)
{
    const int c1 = network->channels[1], c2 = network->channels[2];
    map gram[2] = {new_map(1, c1, c1), new_map(1, c2, c2)};
    map target[2] = {new_map(1, c1, c1), new_map(1, c2, c2)};
    weights w = weigh(region, own->relu1.h, own->relu1.w);
    for (int i = first; i < first + n; i++) {
        add_style(target, network, &loss->styles[i], loss->seen[i], n > 1 ? loss->shares[i] : 1);
    }
    add_gram(&gram[0], &own->relu1, &w.relu1, 1);
    add_gram(&gram[1], &own->relu2, &w.relu2, 1);
    const double sum = area(&w.relu1) * loss->relu1_share * missed(&gram[0], &target[0], NULL) +
                       area(&w.relu2) * loss->relu2_share * missed(&gram[1], &target[1], NULL);
    release_weights(&w);
    for (int i = 0; i < 2; i++) {
        free(gram[i].v);
        free(target[i].v);
    }
    return loss->style_weight * sum;
}

static double variation(const rv_twin_picture *p)
{
    double sum = 0;
    for (int c = 0; c < 3; c++) {
        const double *v = p->data + c * p->height * p->width;
        for (int y = 0; y < p->height; y++) {
            for (int x = 0; x < p->width; x++) {
                const int i = y * p->width + x;
                sum += x + 1 < p->width ? pow(v[i + 1] - v[i], 2) : 0;
                sum += y + 1 < p->height ? pow(v[i + p->width] - v[i], 2) : 0;
            }
        }
    }
    return sum / (3 * p->height * p->width);
}

double twin_style_loss(const rv_twin_network *network, const rv_twin_loss *loss,
                       const rv_twin_picture *picture)
{
    features content = run(network, &loss->content), own = run(network, picture);
    weights visible = weigh(loss->visible, picture->height, picture->width);
    double sum = loss->content_weight * area(&visible.relu2) *
                     missed(&own.relu3, &content.relu3, &visible.relu2) +
                 loss->tv_weight * variation(picture);
    if (loss->regions[0] == NULL) {
        sum += style_of(network, loss, &own, NULL, 0, 2);
    }
    for (int i = 0; i < 2 && loss->regions[0] != NULL; i++) {
        sum += style_of(network, loss, &own, loss->regions[i], i, 1);
    }
    release_weights(&visible);
    release(&content);
    release(&own);
    return sum;
}
