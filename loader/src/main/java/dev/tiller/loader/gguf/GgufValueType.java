package dev.tiller.loader.gguf;

/** Types of metadata values; the code in the file is the ordinal. */
enum GgufValueType {
    U8(1),
    I8(1),
    U16(2),
    I16(2),
    U32(4),
    I32(4),
    F32(4),
    BOOL(1),
    STRING(0),
    ARRAY(0),
    U64(8),
    I64(8),
    F64(8);

    private static final GgufValueType[] BY_CODE = values();

    /** Bytes of one value, 0 if that depends on the value. */
    final int bytes;

    GgufValueType(int bytes) {
        this.bytes = bytes;
    }

    boolean isInteger() {
        return switch (this) {
            case U8, I8, U16, I16, U32, I32, U64, I64 -> true;
            default -> false;
        };
    }

    /** The type with that code, or null. */
    static GgufValueType ofCode(int code) {
        return code >= 0 && code < BY_CODE.length ? BY_CODE[code] : null;
    }
}
