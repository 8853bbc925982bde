package dev.tiller.kernels;

import dev.tiller.loader.TillerException;

/** There is no room for the keys and values asked for. Nothing was taken; what is stored is untouched. */
public final class KvMemoryException extends TillerException {
    private static final long serialVersionUID = 1L;

    public KvMemoryException(String message) {
        super(message);
    }

    public KvMemoryException(String message, Throwable cause) {
        super(message, cause);
    }
}
