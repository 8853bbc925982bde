package dev.tiller.kernels.cuda;

import dev.tiller.kernels.cuda.KernelImage.Parameter;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import jcuda.Pointer;
import jcuda.driver.JCudaDriver;

/**
 * Launches one kernel, again and again, without allocating: the parameters' values lie in direct memory, and behind them
 * their addresses, which is what the driver reads. The driver copies the values in {@link #run}, so that they may be
 * changed at once after.
 *
 * <pre>launch.start().pointer(x).pointer(out).integer(d).real(eps).run(rows, 1, 1, 256, 0);</pre>
 *
 * <p>All methods belong on the GPU's thread. Kinds and number of the values are checked where the PTX tells them: the
 * GPU itself would read whatever bytes lie there.
 */
final class Launch {
    private static final int MOST_PARAMETERS = 64;

    private final CudaFunction function;
    private final Parameter[] expected;
    private final ByteBuffer values;
    private final int addresses;
    private final Pointer list;
    private int count;

    Launch(CudaFunction function) {
        List<Parameter> parameters = function.parameters();
        this.function = function;
        this.expected = parameters == null ? null : parameters.toArray(Parameter[]::new);
        int slots = expected == null ? MOST_PARAMETERS : expected.length;
        // One slot more keeps the buffers from being empty for a kernel without parameters.
        addresses = (slots + 1) * Long.BYTES;
        values = ByteBuffer.allocateDirect(2 * addresses).order(ByteOrder.nativeOrder());
        long base = MemorySegment.ofBuffer(values).address();
        for (int i = 0; i < slots; i++) {
            values.putLong(addresses + i * Long.BYTES, base + (long) i * Long.BYTES);
        }
        list = Pointer.to(values.slice(addresses, addresses).order(ByteOrder.nativeOrder()));
    }

    /** Begins a new list of values. */
    Launch start() {
        count = 0;
        return this;
    }

    /** The next parameter: an address on the device, 0 for none, or another whole number of 64 bits. */
    Launch pointer(long address) {
        values.putLong(slot(Parameter.LONG), address);
        return this;
    }

    Launch pointer(DeviceMemory memory) {
        return pointer(memory == null ? 0 : memory.address());
    }

    Launch integer(int value) {
        values.putLong(slot(Parameter.INT), value);
        return this;
    }

    Launch real(float value) {
        values.putFloat(slot(Parameter.FLOAT), value);
        return this;
    }

    Launch real(double value) {
        values.putDouble(slot(Parameter.DOUBLE), value);
        return this;
    }

    private int slot(Parameter kind) {
        int i = count++;
        if (expected != null && (i >= expected.length || expected[i] != kind)) {
            throw new IllegalArgumentException("parameter " + i + " of kernel " + function.name() + ": expected "
                    + (i >= expected.length ? "no more" : expected[i]) + ", found " + kind);
        }
        return i * Long.BYTES;
    }

    /**
     * Puts the kernel on the stream.
     *
     * @param block threads of a block, in one dimension
     * @param sharedBytes dynamic shared memory of a block
     */
    void run(int gridX, int gridY, int gridZ, int block, int sharedBytes) {
        run(gridX, gridY, gridZ, block, 1, sharedBytes);
    }

    /** The same with threads in two dimensions. */
    void run(int gridX, int gridY, int gridZ, int blockX, int blockY, int sharedBytes) {
        if (expected != null && count != expected.length) {
            throw new IllegalArgumentException(
                    "kernel " + function.name() + ": expected " + expected.length + " parameters, found " + count);
        }
        function.allowShared(sharedBytes);
        int status = JCudaDriver.cuLaunchKernel(
                function.handle(),
                gridX,
                gridY,
                gridZ,
                blockX,
                blockY,
                1,
                sharedBytes,
                function.device().stream(),
                list,
                null);
        if (status != 0) {
            throw CudaStatus.failure(
                    status,
                    "cuLaunchKernel",
                    function.name() + " (grid " + gridX + " x " + gridY + " x " + gridZ + ", block " + blockX
                            + (blockY == 1 ? "" : " x " + blockY) + ", " + sharedBytes + " bytes of shared memory)");
        }
    }
}
