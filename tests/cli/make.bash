# Makes files for tests without any other program: bash make.bash FUNCTION ARGUMENT...
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
set -eu

crc_table=()
for ((crc_i = 0; crc_i < 256; crc_i++)); do
    crc_c=$crc_i
    for ((crc_k = 0; crc_k < 8; crc_k++)); do
        ((crc_c = crc_c & 1 ? 0xedb88320 ^ (crc_c >> 1) : crc_c >> 1, 1))
    done
    crc_table+=("$crc_c")
done

# big_endian NUMBER: sets `word` to its four bytes
big_endian() { word=($(($1 >> 24 & 255)) $(($1 >> 16 & 255)) $(($1 >> 8 & 255)) $(($1 & 255))); }

# emit BYTE...: writes them to the standard output
emit() {
    local escapes
    printf -v escapes '\\x%02x' "$@"
    # shellcheck disable=SC2059
    printf "$escapes"
}

# chunk TYPE BYTE...: one chunk of a PNG file; the variable png_damage is added to its CRC
chunk() {
    local type=$1 byte crc=$((0xffffffff)) letters=() i
    shift
    for ((i = 0; i < 4; i++)); do
        printf -v byte %d "'${type:i:1}"
        letters+=("$byte")
    done
    big_endian $#
    emit "${word[@]}"
    for byte in "${letters[@]}" "$@"; do
        ((crc = crc_table[(crc ^ byte) & 255] ^ (crc >> 8), 1))
    done
    emit "${letters[@]}" "$@"
    big_endian $(((crc ^ 0xffffffff) + ${png_damage:-0}))
    emit "${word[@]}"
}

# header WIDTH HEIGHT CHANNELS BITS: signature and IHDR
header() {
    local w
    emit 137 80 78 71 13 10 26 10
    big_endian "$1"
    w=("${word[@]}")
    big_endian "$2"
    chunk IHDR "${w[@]}" "${word[@]}" "$4" $(($3 == 4 ? 6 : 2)) 0 0 0
}

# huge FILE WIDTH HEIGHT: a PNG that promises much and holds nothing
huge() { { header "$2" "$3" 3 8; chunk IDAT 120 1; chunk IEND; } >"$1"; }

# png FILE WIDTH HEIGHT [CHANNELS [BITS [PATTERN]]]: 3 or 4 channels, 8 or 16 bits; PATTERN: waves, checks,
# or of masks left, whose left half is white, and black
png() {
    local file=$1 width=$2 height=$3 channels=${4:-3} bits=${5:-8} pattern=${6:-waves}
    local raw=() x y k v a=1 b=0 byte body=() at n
    for ((y = 0; y < height; y++)); do
        raw+=(0)
        for ((x = 0; x < width; x++)); do
            for ((k = 0; k < channels; k++)); do
                if [ "$pattern" = checks ]; then
                    ((v = (x / 4 + y / 4) % 2 ? 230 - 60 * k : 20 + 40 * k, 1))
                elif [ "$pattern" = left ]; then # white, the rest black: a mask
                    ((v = x < width / 2 ? 255 : 0, 1))
                elif [ "$pattern" = black ]; then
                    v=0
                else
                    ((v = (5 * x + 3 * y * (k + 1) + x * y / 8) % 256, 1))
                fi
                ((k < 3 || (v = 128 + x % 100, 1)))
                raw+=($((v & 255)))
                [ "$bits" -eq 8 ] || raw+=($((v * 7 & 255)))
            done
        done
    done
    for byte in "${raw[@]}"; do
        ((a = (a + byte) % 65521, b = (b + a) % 65521, 1))
    done
    # Stored blocks of deflate.
    for ((at = 0; at < ${#raw[@]}; at += n)); do
        ((n = ${#raw[@]} - at, n = n > 65535 ? 65535 : n, 1))
        body+=($((at + n == ${#raw[@]})) $((n & 255)) $((n >> 8)) $((~n & 255)) $((~n >> 8 & 255))
               "${raw[@]:at:n}")
    done
    big_endian $((b << 16 | a))
    body+=("${word[@]}")
    { header "$width" "$height" "$channels" "$bits"
      chunk IDAT 120 1 "${body[@]}"
      png_damage=0 chunk IEND; } >"$file"
}

# text_bytes TEXT: sets `bytes` to its bytes
text_bytes() {
    local i byte
    bytes=()
    for ((i = 0; i < ${#1}; i++)); do
        printf -v byte %d "'${1:i:1}"
        bytes+=("$byte")
    done
}

# dots FILE CHANNELS BYTE BYTE BYTE BYTE: a caffemodel for the network of dots_graph, whose 1x1 convolution of
# CHANNELS channels has this float (low byte first) in all weights
dots() {
    local file=$1 channels=$2 i floats=() shape blob layer
    shift 2
    for ((i = 0; i < 2 * channels; i++)); do floats+=("$@"); done
    shape=(10 4 2 "$channels" 1 1)
    blob=(58 ${#shape[@]} "${shape[@]}" 42 ${#floats[@]} "${floats[@]}")
    layer=()
    text_bytes dots
    layer+=(10 ${#bytes[@]} "${bytes[@]}")
    text_bytes Convolution
    layer+=(18 ${#bytes[@]} "${bytes[@]}" 58 ${#blob[@]} "${blob[@]}")
    emit 162 6 ${#layer[@]} "${layer[@]}" >"$file"
}

"$@"
