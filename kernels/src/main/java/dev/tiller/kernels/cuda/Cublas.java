package dev.tiller.kernels.cuda;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jcuda.Pointer;
import jcuda.cudaDataType;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasComputeType;
import jcuda.jcublas.cublasGemmAlgo;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasMath;
import jcuda.jcublas.cublasOperation;
import jcuda.jcublas.cublasPointerMode;
import jcuda.runtime.cudaStream_t;

/** Matrix products on the stream of a device. All methods belong on the GPU's thread; they allocate nothing on it. */
final class Cublas implements AutoCloseable {
    /** Hopper's kernels want more than the older ones; given explicitly, since a captured graph keeps using it. */
    private static final long WORKSPACE = 32L << 20;

    private final cublasHandle handle = new cublasHandle();
    private final DeviceMemory workspace;
    private final String version;
    // Direct memory: an array would be copied, and pinned down, in every call.
    private final Pointer zero = scalar(0f);
    private final Pointer one = scalar(1f);

    Cublas(CudaDevice device) {
        int status = JCublas2.cublasCreate(handle);
        if (status != 0) {
            throw new CudaUnavailable(
                    CudaStatus.blasFailure(status, "cublasCreate").getMessage());
        }
        int[] v = new int[1];
        CudaStatus.checkBlas(JCublas2.cublasGetVersion(handle, v), "cublasGetVersion");
        version = v[0] / 10000 + "." + v[0] % 10000 / 100 + "." + v[0] % 100;
        CudaStatus.checkBlas(JCublas2.cublasSetStream(handle, new cudaStream_t(device.stream())), "cublasSetStream");
        workspace = device.allocate(WORKSPACE, "the workspace of cuBLAS");
        CudaStatus.checkBlas(
                JCublas2.cublasSetWorkspace(handle, RawPointer.of(workspace.address()), WORKSPACE),
                "cublasSetWorkspace");
        // The default rounds no float32 input to tf32.
        CudaStatus.checkBlas(JCublas2.cublasSetMathMode(handle, cublasMath.CUBLAS_DEFAULT_MATH), "cublasSetMathMode");
        CudaStatus.checkBlas(
                JCublas2.cublasSetPointerMode(handle, cublasPointerMode.CUBLAS_POINTER_MODE_HOST),
                "cublasSetPointerMode");
    }

    private static Pointer scalar(float value) {
        ByteBuffer b = ByteBuffer.allocateDirect(Float.BYTES).order(ByteOrder.nativeOrder());
        return Pointer.to(b.putFloat(0, value));
    }

    String version() {
        return version;
    }

    /**
     * out = x wT, or out += x wT, summed in float32; both inputs of the same type, float32 ones exactly (no tf32).
     *
     * @param out [rows, n] float32, rows outColumns apart
     * @param x [rows, k], rows xColumns apart
     * @param w [n, k]
     * @param add whether to add to what out holds
     */
    void linear(
            Operand type, long out, int outColumns, long x, int xColumns, long w, int rows, int n, int k, boolean add) {
        // cuBLAS counts by columns: to it, out is an n x rows matrix, w is k x n, x is k x rows.
        Pointer beta = add ? one : zero;
        if (type == Operand.F32) {
            CudaStatus.checkBlas(
                    JCublas2.cublasSgemm(
                            handle,
                            cublasOperation.CUBLAS_OP_T,
                            cublasOperation.CUBLAS_OP_N,
                            n,
                            rows,
                            k,
                            one,
                            RawPointer.of(w),
                            k,
                            RawPointer.of(x),
                            xColumns,
                            beta,
                            RawPointer.of(out),
                            outColumns),
                    "cublasSgemm");
            return;
        }
        int t = type == Operand.BF16 ? cudaDataType.CUDA_R_16BF : cudaDataType.CUDA_R_16F;
        // The form without "_new" takes another enumeration for the compute type.
        CudaStatus.checkBlas(
                JCublas2.cublasGemmEx_new(
                        handle,
                        cublasOperation.CUBLAS_OP_T,
                        cublasOperation.CUBLAS_OP_N,
                        n,
                        rows,
                        k,
                        one,
                        RawPointer.of(w),
                        t,
                        k,
                        RawPointer.of(x),
                        t,
                        xColumns,
                        beta,
                        RawPointer.of(out),
                        cudaDataType.CUDA_R_32F,
                        outColumns,
                        cublasComputeType.CUBLAS_COMPUTE_32F,
                        cublasGemmAlgo.CUBLAS_GEMM_DEFAULT),
                "cublasGemmEx");
    }

    @Override
    public void close() {
        try (workspace) {
            CudaStatus.checkBlas(JCublas2.cublasDestroy(handle), "cublasDestroy");
        }
    }
}
