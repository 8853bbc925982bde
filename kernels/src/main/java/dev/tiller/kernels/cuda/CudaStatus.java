package dev.tiller.kernels.cuda;

import dev.tiller.loader.TillerException;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.cublasStatus;

/** Turns the statuses of CUDA calls into exceptions that name the call and the error. */
final class CudaStatus {
    private CudaStatus() {}

    /** @param call the function called, as CUDA names it */
    static void check(int status, String call) {
        if (status != CUresult.CUDA_SUCCESS) {
            throw failure(status, call, "");
        }
    }

    /** @param detail what the call was about, such as a kernel's name and grid; may be empty */
    static TillerException failure(int status, String call, String detail) {
        String hint = status == CUresult.CUDA_ERROR_ILLEGAL_ADDRESS || status == CUresult.CUDA_ERROR_LAUNCH_FAILED
                ? " (a kernel that ran before this call may have caused it)"
                : "";
        return new TillerException(
                "the GPU: " + call + (detail.isEmpty() ? "" : " of " + detail) + " gives " + describe(status) + hint);
    }

    /** Name and meaning of a driver status. */
    static String describe(int status) {
        String[] meaning = new String[1];
        boolean known = JCudaDriver.cuGetErrorString(status, meaning) == CUresult.CUDA_SUCCESS && meaning[0] != null;
        return CUresult.stringFor(status) + (known ? " (" + meaning[0] + ")" : "");
    }

    static void checkBlas(int status, String call) {
        if (status != cublasStatus.CUBLAS_STATUS_SUCCESS) {
            throw blasFailure(status, call);
        }
    }

    static TillerException blasFailure(int status, String call) {
        return new TillerException("the GPU: " + call + " gives " + cublasStatus.stringFor(status));
    }
}
