package dev.tiller.kernels.cuda;

import dev.tiller.kernels.cuda.KernelImage.Parameter;
import java.util.List;
import jcuda.driver.CUfunction;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.JCudaDriver;

/** A loaded kernel. */
final class CudaFunction {
    /** What every kernel may use without asking. */
    private static final int GRANTED = 48 << 10;

    private final CudaDevice device;
    private final CUfunction handle;
    private final String name;
    private final List<Parameter> parameters;
    private int sharedBytes = GRANTED;

    /** @param parameters null if the image does not tell them */
    CudaFunction(CudaDevice device, CUfunction handle, String name, List<Parameter> parameters) {
        this.device = device;
        this.handle = handle;
        this.name = name;
        this.parameters = parameters;
    }

    CudaDevice device() {
        return device;
    }

    String name() {
        return name;
    }

    CUfunction handle() {
        return handle;
    }

    /** Its parameters as the PTX tells them, or null. */
    List<Parameter> parameters() {
        return parameters;
    }

    /** A new list of parameters for a place in the code that launches it. */
    Launch launch() {
        return new Launch(this);
    }

    /** Asks the driver for more dynamic shared memory than every kernel has, once. */
    void allowShared(int bytes) {
        if (bytes > sharedBytes) {
            int status = JCudaDriver.cuFuncSetAttribute(
                    handle, CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes);
            if (status != 0) {
                throw CudaStatus.failure(
                        status,
                        "cuFuncSetAttribute",
                        name + " (" + bytes + " bytes of shared memory, " + device.sharedBytesPerBlock() + " at most)");
            }
            sharedBytes = bytes;
        }
    }

    /** Registers per thread, after the driver compiled the kernel for this GPU. */
    int registers() {
        return attribute(CUfunction_attribute.CU_FUNC_ATTRIBUTE_NUM_REGS);
    }

    /** Bytes per thread that did not fit into registers. */
    int localBytes() {
        return attribute(CUfunction_attribute.CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES);
    }

    private int attribute(int which) {
        int[] value = new int[1];
        CudaStatus.check(JCudaDriver.cuFuncGetAttribute(value, which, handle), "cuFuncGetAttribute");
        return value[0];
    }
}
