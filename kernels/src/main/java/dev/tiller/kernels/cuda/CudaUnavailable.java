package dev.tiller.kernels.cuda;

import dev.tiller.loader.TillerException;

/** CUDA cannot be used on this machine; the message is the reason, in one line that can stand after "because". */
public final class CudaUnavailable extends TillerException {
    private static final long serialVersionUID = 1L;

    public CudaUnavailable(String reason) {
        super(reason);
    }

    public CudaUnavailable(String reason, Throwable cause) {
        super(reason, cause);
    }
}
