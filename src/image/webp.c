/* WebP through libwebp: lossy, lossless, with alpha, the first frame of an animation; metadata in its chunks. */
/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "base/event.h"
#include "base/memory.h"
#include "image/rows.h"

#include <stdlib.h>
#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>
#include <webp/encode.h>
#include <webp/mux.h>

enum { HEADER = 12, SIDE = 16383, LOSSLESS_QUALITY = 100 };

/* A chunk of our own, which others skip as the format tells them to. */
static const char settings_chunk[] = "RVRS";

/* ---- Reading ---- */

static bool webp_recognise(const rv_image_source *source)
{
    return source->size >= HEADER && memcmp(source->data, "RIFF", 4) == 0 &&
           memcmp(source->data + 8, "WEBP", 4) == 0;
}

typedef struct reader {
    const rv_image_source *source;
    WebPDemuxer *demuxer;
    WebPIterator frame;
    rv_image *image;
    rv_colours *colours;
    uint8_t *row;
} reader;

static rv_status fail(const reader *r, const char *what)
{
    return rv_fail(RV_ERR_FORMAT, "%s: WebP: %s", r->source->name, what);
}

/* A file that ends before the size it gives itself. */
static rv_status check_whole(const rv_image_source *source)
{
    const uint8_t *d = source->data + 4;
    const uint64_t says =
        8 + ((uint64_t)d[3] << 24 | (uint64_t)d[2] << 16 | (uint64_t)d[1] << 8 | d[0]);
    if (source->size < says) {
        return rv_fail(RV_ERR_FORMAT, "%s: the WebP is cut off: its %zu bytes of %llu end early",
                       source->name, source->size, (unsigned long long)says);
    }
    return RV_OK;
}

static rv_status keep_chunk(const reader *r, const char *name, rv_blob *out, const char *prefix,
                            size_t prefix_bytes)
{
    WebPChunkIterator chunk;
    rv_status status = RV_OK;
    if (WebPDemuxGetChunk(r->demuxer, name, 1, &chunk)) {
        const uint8_t *from = chunk.chunk.bytes;
        size_t n = chunk.chunk.size;
        /* Some programs write the word before EXIF, some do not. */
        if (n >= prefix_bytes && memcmp(from, prefix, prefix_bytes) == 0) {
            from += prefix_bytes;
            n -= prefix_bytes;
        }
        status = rv_alloc(&out->data, prefix_bytes + n + 1, 1, "metadata");
        if (status == RV_OK) {
            memcpy(out->data, prefix, prefix_bytes);
            memcpy(out->data + prefix_bytes, from, n);
            out->size = prefix_bytes + n;
        }
    }
    WebPDemuxReleaseChunkIterator(&chunk);
    return status;
}

static rv_status keep_metadata(const reader *r)
{
    rv_blob settings = {0};
    RV_TRY(keep_chunk(r, "EXIF", &r->image->exif, RV_EXIF_HEADER, RV_EXIF_HEADER_BYTES));
    RV_TRY(keep_chunk(r, "XMP ", &r->image->xmp, "", 0));
    RV_TRY(keep_chunk(r, settings_chunk, &settings, "", 0));
    r->image->settings = (char *)settings.data;
    return RV_OK;
}

static rv_status choose_colours(reader *r)
{
    rv_profile profile = {0};
    WebPChunkIterator chunk;
    const rv_pixel_format format = {3, r->image->channels == 4, 8};
    if (WebPDemuxGetChunk(r->demuxer, "ICCP", 1, &chunk)) {
        profile.icc = chunk.chunk.bytes;
        profile.icc_size = chunk.chunk.size;
    } else {
        rv_exif_profile(&profile, &r->image->exif);
    }
    const rv_status status = rv_colours_create(&r->colours, format, &profile, r->source);
    WebPDemuxReleaseChunkIterator(&chunk);
    return status;
}

/* The frame goes where it lies in the picture; what is around it stays transparent. */
static rv_status read_frame(reader *r)
{
    WebPDecoderConfig config;
    const WebPIterator *f = &r->frame;
    rv_image *image = r->image;
    if (!WebPInitDecoderConfig(&config) ||
        WebPGetFeatures(f->fragment.bytes, f->fragment.size, &config.input) != VP8_STATUS_OK ||
        config.input.width != f->width || config.input.height != f->height) {
        return fail(r, "the header of its picture is damaged");
    }
    const size_t stride = (size_t)image->width * (size_t)image->channels;
    const size_t first = (size_t)f->y_offset * stride + (size_t)(f->x_offset * image->channels);
    config.output.colorspace = image->channels == 4 ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = (uint8_t *)image->pixels + first;
    config.output.u.RGBA.stride = (int)stride;
    config.output.u.RGBA.size = stride * (size_t)image->height - first;
    const VP8StatusCode code = WebPDecode(f->fragment.bytes, f->fragment.size, &config);
    WebPFreeDecBuffer(&config.output);
    if (code == VP8_STATUS_OUT_OF_MEMORY) {
        return rv_fail(RV_ERR_MEMORY, "not enough memory to read %s", r->source->name);
    }
    return code == VP8_STATUS_OK ? RV_OK
           : code == VP8_STATUS_NOT_ENOUGH_DATA || code == VP8_STATUS_SUSPENDED
               ? fail(r, "the picture is cut off")
               : fail(r, "the picture is damaged");
}

static void to_srgb(const reader *r)
{
    const size_t bytes = (size_t)r->image->width * (size_t)r->image->channels;
    for (int y = 0; y < r->image->height; y++) {
        uint8_t *row = (uint8_t *)r->image->pixels + (size_t)y * bytes;
        memcpy(r->row, row, bytes);
        rv_colours_row(r->colours, row, r->row, (size_t)r->image->width);
    }
}

static rv_status decode(reader *r)
{
    const rv_image_source *source = r->source;
    RV_TRY(check_whole(source));
    const WebPData data = {source->data, source->size};
    r->demuxer = WebPDemux(&data);
    if (r->demuxer == NULL || !WebPDemuxGetFrame(r->demuxer, 1, &r->frame)) {
        return fail(r, "its chunks are damaged");
    }
    const uint32_t width = WebPDemuxGetI(r->demuxer, WEBP_FF_CANVAS_WIDTH);
    const uint32_t height = WebPDemuxGetI(r->demuxer, WEBP_FF_CANVAS_HEIGHT);
    RV_TRY(rv_image_check_size(source, width, height));
    const bool fills = (uint32_t)r->frame.width == width && (uint32_t)r->frame.height == height;
    if ((uint64_t)r->frame.x_offset + (uint64_t)r->frame.width > width ||
        (uint64_t)r->frame.y_offset + (uint64_t)r->frame.height > height) {
        return fail(r, "a frame lies outside the picture");
    }
    RV_TRY(rv_image_create(&r->image, (int)width, (int)height, r->frame.has_alpha || !fills ? 4 : 3,
                           8));
    if (source->look) {
        return RV_OK;
    }
    RV_TRY(keep_metadata(r));
    RV_TRY(choose_colours(r));
    RV_TRY(rv_alloc(&r->row, width, 4, "a row of a WebP"));
    RV_TRY(read_frame(r));
    to_srgb(r);
    rv_colours_give_profile(r->colours, r->image);
    if (r->frame.num_frames > 1) {
        rv_log(source->events, RV_LOG_WARNING,
               "%s: of an animation of %d frames the first is taken", source->name,
               r->frame.num_frames);
    }
    return RV_OK;
}

static rv_status webp_decode(rv_image **out, const rv_image_source *source)
{
    *out = NULL;
    reader *r;
    RV_TRY(rv_alloc(&r, 1, sizeof *r, "reading a WebP"));
    r->source = source;
    const rv_status status = decode(r);
    if (status == RV_OK) {
        *out = r->image;
    } else {
        rv_image_destroy(r->image);
    }
    WebPDemuxReleaseIterator(&r->frame);
    WebPDemuxDelete(r->demuxer);
    rv_colours_destroy(r->colours);
    free(r->row);
    free(r);
    return status;
}

/* ---- Writing ---- */

static uint32_t pack(const uint8_t *pixel, int channels)
{
    const uint32_t alpha = channels == 4 ? pixel[3] : 255;
    return alpha << 24 | (uint32_t)pixel[0] << 16 | (uint32_t)pixel[1] << 8 | pixel[2];
}

static rv_status fill(WebPPicture *picture, const rv_image_output *to)
{
    const int width = to->image->width, channels = to->image->channels;
    if (!WebPPictureAlloc(picture)) {
        return rv_fail(RV_ERR_MEMORY, "not enough memory to write %s", to->path);
    }
    for (int y = 0; y < to->image->height; y++) {
        const uint8_t *row = rv_rows_get(to->rows, y);
        uint32_t *argb = picture->argb + (ptrdiff_t)y * picture->argb_stride;
        for (int x = 0; x < width; x++) {
            argb[x] = pack(row + (ptrdiff_t)x * channels, channels);
        }
    }
    return RV_OK;
}

static rv_status encode(WebPMemoryWriter *writer, const rv_image_output *to)
{
    WebPConfig config;
    WebPPicture picture;
    const bool lossless = to->options->quality == LOSSLESS_QUALITY;
    if (!WebPConfigInit(&config) || !WebPPictureInit(&picture)) {
        return rv_fail(RV_ERR_INTERNAL, "libwebp is of another version than its headers");
    }
    if (lossless) {
        WebPConfigLosslessPreset(&config, 6);
    } else {
        config.quality = (float)to->options->quality;
        config.use_sharp_yuv = !to->options->subsample;
    }
    config.exact = 1; /* colours where alpha is 0 as well */
    picture.use_argb = 1;
    picture.width = to->image->width;
    picture.height = to->image->height;
    picture.writer = WebPMemoryWrite;
    picture.custom_ptr = writer;
    rv_status status = fill(&picture, to);
    if (status == RV_OK && !WebPEncode(&config, &picture)) {
        const bool memory = picture.error_code == VP8_ENC_ERROR_OUT_OF_MEMORY ||
                            picture.error_code == VP8_ENC_ERROR_BITSTREAM_OUT_OF_MEMORY;
        status = rv_fail(memory ? RV_ERR_MEMORY : RV_ERR_UNSUPPORTED,
                         "cannot write %s: WebP: error %d of the encoder", to->path,
                         (int)picture.error_code);
    }
    WebPPictureFree(&picture);
    return status;
}

static WebPMuxError set_chunk(WebPMux *mux, const char *name, const uint8_t *bytes, size_t n)
{
    const WebPData data = {bytes, n};
    return n > 0 ? WebPMuxSetChunk(mux, name, &data, 0) : WEBP_MUX_OK;
}

static WebPMuxError set_chunks(WebPMux *mux, const rv_image_metadata *m)
{
    const rv_blob *exif = &m->exif;
    const size_t word = exif->size > RV_EXIF_HEADER_BYTES ? RV_EXIF_HEADER_BYTES : 0;
    const size_t settings = m->settings != NULL ? strlen(m->settings) : 0;
    WebPMuxError error = set_chunk(mux, "ICCP", m->icc.data, m->icc.size);
    if (error == WEBP_MUX_OK && word > 0) {
        error = set_chunk(mux, "EXIF", exif->data + word, exif->size - word);
    }
    if (error == WEBP_MUX_OK) {
        error = set_chunk(mux, "XMP ", m->xmp.data, m->xmp.size);
    }
    return error == WEBP_MUX_OK
               ? set_chunk(mux, settings_chunk, (const uint8_t *)m->settings, settings)
               : error;
}

static rv_status assemble(WebPData *out, const WebPMemoryWriter *picture, const rv_image_output *to)
{
    WebPMux *mux = WebPMuxNew();
    const WebPData bitstream = {picture->mem, picture->size};
    WebPMuxError error = mux != NULL ? WebPMuxSetImage(mux, &bitstream, 0) : WEBP_MUX_MEMORY_ERROR;
    if (error == WEBP_MUX_OK) {
        error = set_chunks(mux, to->metadata);
    }
    if (error == WEBP_MUX_OK) {
        error = WebPMuxAssemble(mux, out);
    }
    WebPMuxDelete(mux);
    return error == WEBP_MUX_OK
               ? RV_OK
               : rv_fail(error == WEBP_MUX_MEMORY_ERROR ? RV_ERR_MEMORY : RV_ERR_UNSUPPORTED,
                         "cannot write %s: WebP: error %d of its chunks", to->path, (int)error);
}

static rv_status webp_encode(const rv_image_output *to)
{
    WebPMemoryWriter picture;
    WebPData file;
    WebPMemoryWriterInit(&picture);
    WebPDataInit(&file);
    rv_status status = encode(&picture, to);
    if (status == RV_OK) {
        status = assemble(&file, &picture, to);
    }
    if (status == RV_OK && fwrite(file.bytes, 1, file.size, to->file) != file.size) {
        status = rv_fail(RV_ERR_IO, "cannot write %s", to->path);
    }
    WebPMemoryWriterClear(&picture);
    WebPDataClear(&file);
    return status;
}

const rv_image_format rv_webp_format = {
    .name = "WebP",
    .extensions = {".webp"},
    .alpha = true,
    .bits = 8,
    .side = SIDE,
    .recognise = webp_recognise,
    .decode = webp_decode,
    .encode = webp_encode,
};
