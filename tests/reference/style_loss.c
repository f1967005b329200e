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

/* out += share * F F^T / (H W) */
static void add_gram(map *out, const map *f, double share)
{
    const int n = f->h * f->w;
    for (int i = 0; i < f->c; i++) {
        for (int j = 0; j < f->c; j++) {
            double sum = 0;
            for (int k = 0; k < n; k++) {
                sum += f->v[i * n + k] * f->v[j * n + k];
            }
            *at(out, 0, i, j) += share * sum / n;
        }
    }
}

/* mean((a - b)^2) / mean(b^2) */
static double missed(const map *a, const map *b)
{
    double square = 0, all = 0;
    for (int i = 0; i < b->c * b->h * b->w; i++) {
        square += (a->v[i] - b->v[i]) * (a->v[i] - b->v[i]);
        all += b->v[i] * b->v[i];
    }
    return square / all;
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
    const int c1 = network->channels[1], c2 = network->channels[2];
    map gram1 = new_map(1, c1, c1), gram2 = new_map(1, c2, c2);
    map target1 = new_map(1, c1, c1), target2 = new_map(1, c2, c2);
    for (int i = 0; i < 2; i++) {
        features style = run(network, &loss->styles[i]);
        add_gram(&target1, &style.relu1, loss->shares[i]);
        add_gram(&target2, &style.relu2, loss->shares[i]);
        release(&style);
    }
    features content = run(network, &loss->content), own = run(network, picture);
    add_gram(&gram1, &own.relu1, 1);
    add_gram(&gram2, &own.relu2, 1);
    const double sum = loss->content_weight * missed(&own.relu3, &content.relu3) +
                       loss->style_weight * (loss->relu1_share * missed(&gram1, &target1) +
                                             loss->relu2_share * missed(&gram2, &target2)) +
                       loss->tv_weight * variation(picture);
    release(&content);
    release(&own);
    free(gram1.v);
    free(gram2.v);
    free(target1.v);
    free(target2.v);
    return sum;
}
