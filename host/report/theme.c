/* theme.c: the colours of figures, on light and on dark paper. Series and bases have a contrast of 3 or more with their
 * paper, text has 4.5 or more. The series follow Okabe & Ito's order of hues, made darker or lighter where the contrast
 * asks for it, and stay apart under simulated protanopia, deuteranopia and tritanopia.
 */
#include "figure.h"

#define HEX(value) \
    { ((value) >> 16 & 255) / 255.0, ((value) >> 8 & 255) / 255.0, ((value)&255) / 255.0 }

const xc_theme xc_theme_light = {
    .paper = HEX(0xffffff),
    .ink = HEX(0x1a1d21),
    .muted = HEX(0x646b75),
    .grid = HEX(0xdde1e6),
    .base = {HEX(0x0e7a46), HEX(0x1c63cc), HEX(0xd08300), HEX(0xc8102a)},
    .series = {HEX(0x0072b2), HEX(0xd9691a), HEX(0x4c9f68), HEX(0xb9307a), HEX(0x652a1c), HEX(0x1e94f8), HEX(0x98551a),
               HEX(0x17414f)},
};

const xc_theme xc_theme_dark = {
    .paper = HEX(0x14171a),
    .ink = HEX(0xe9ecef),
    .muted = HEX(0x9aa3ad),
    .grid = HEX(0x30363c),
    .base = {HEX(0x3cc98f), HEX(0x7b9cee), HEX(0xf7c02c), HEX(0xff5f45)},
    .series = {HEX(0x56b4e9), HEX(0xf49729), HEX(0x369a6a), HEX(0xcf8fb0), HEX(0xe3d83a), HEX(0x6470d8), HEX(0xe0501f),
               HEX(0xc9d4f2)},
};
