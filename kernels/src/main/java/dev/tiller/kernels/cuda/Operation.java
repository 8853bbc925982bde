package dev.tiller.kernels.cuda;

/** What a recorded step consists of. */
enum Operation {
    EMBED,
    MATMUL,
    NORM,
    ROPE,
    APPEND,
    PREPARE,
    ATTEND,
    GATE,
    ACTIVATE,
    SCALE,
    SITE,
    GATHER,
    CLEAR,
    ROWS,
    SAME_ROWS
}
