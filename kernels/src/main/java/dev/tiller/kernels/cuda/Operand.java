package dev.tiller.kernels.cuda;

/** Number type of matrix inputs on the device; the end of a kernel's name tells which one it takes. */
enum Operand {
    F32("f32", 4),
    BF16("bf16", 2),
    F16("f16", 2);

    private final String suffix;
    private final int bytes;

    Operand(String suffix, int bytes) {
        this.suffix = suffix;
        this.bytes = bytes;
    }

    /** Name of the kernel for this type: site becomes site_bf16. */
    String entry(String kernel) {
        return kernel + "_" + suffix;
    }

    int bytes() {
        return bytes;
    }
}
