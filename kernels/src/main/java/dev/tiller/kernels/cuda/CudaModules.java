package dev.tiller.kernels.cuda;

import dev.tiller.kernels.cuda.KernelImage.Parameter;
import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import jcuda.Pointer;
import jcuda.driver.CUfunction;
import jcuda.driver.CUjit_option;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;
import jcuda.driver.JITOptions;

/**
 * The kernels of a device by operation: the built-in ones from the jar's PTX, loaded when first asked for, or others in
 * their place. All methods belong on the GPU's thread.
 */
final class CudaModules implements AutoCloseable {
    private static final int LOG_BYTES = 16 << 10;

    private final CudaDevice device;
    private final Map<String, Module> modules = new HashMap<>();
    private final Map<String, Module> replaced = new HashMap<>();
    private final Set<String> used = new TreeSet<>();

    private record Module(
            KernelImage image,
            CUmodule handle,
            Map<String, List<Parameter>> entries,
            Map<String, CudaFunction> functions) {}

    CudaModules(CudaDevice device) {
        this.device = device;
    }

    /** A kernel of an operation: function("site", "site_bf16") from site.ptx, or from what replaces that file. */
    CudaFunction function(String operation, String entry) {
        Module other = replaced.get(operation);
        if (other != null) {
            CudaFunction found = other.functions.computeIfAbsent(entry, e -> find(other, e));
            if (found != null) {
                used.add(entry);
                return found;
            }
            if (!isBuiltIn(operation)) {
                throw new TillerException(other.image.name() + " has no kernel named " + entry);
            }
        }
        Module module = modules.computeIfAbsent(operation, o -> load(builtIn(o)));
        CudaFunction found = module.functions.computeIfAbsent(entry, e -> find(module, e));
        if (found == null) {
            throw new TillerException(module.image.name() + " has no kernel named " + entry + "; it has "
                    + String.join(", ", module.entries.keySet()));
        }
        return found;
    }

    /**
     * Puts other kernels in the place of an operation's built-in ones, for everything that asks from now on. Entries that
     * the image lacks stay the built-in ones.
     */
    void replace(String operation, KernelImage image) {
        Module module = load(image);
        Module old = replaced.put(operation, module);
        if (old != null) {
            device.synchronize();
            unload(old);
        }
    }

    /** Entries that were asked for and came from a replacement. */
    Set<String> replacementsUsed() {
        return Collections.unmodifiableSet(used);
    }

    private static boolean isBuiltIn(String operation) {
        return CudaModules.class.getResource(operation + ".ptx") != null;
    }

    /** The PTX of an operation, as it lies in the jar. */
    static KernelImage builtIn(String operation) {
        String file = operation + ".ptx";
        try (InputStream in = CudaModules.class.getResourceAsStream(file)) {
            if (in == null) {
                throw new TillerException("there are no built-in CUDA kernels for operation " + operation + " (" + file
                        + " is not in the jar)");
            }
            return new KernelImage(file, in.readAllBytes());
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + file, e);
        }
    }

    private static Module load(KernelImage image) {
        CUmodule handle = new CUmodule();
        byte[] log = new byte[LOG_BYTES];
        JITOptions options = new JITOptions();
        options.putBytes(CUjit_option.CU_JIT_ERROR_LOG_BUFFER, log);
        options.putInt(CUjit_option.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, log.length);
        int status = JCudaDriver.cuModuleLoadDataJIT(handle, Pointer.to(image.terminated()), options);
        if (status != CUresult.CUDA_SUCCESS) {
            String text = options.getString(CUjit_option.CU_JIT_ERROR_LOG_BUFFER);
            String said = text == null ? "" : text.replace("\0", "").strip();
            throw new TillerException(CudaStatus.failure(status, "cuModuleLoadDataEx", image.name())
                            .getMessage()
                    + (said.isEmpty() ? "" : "\n" + said));
        }
        return new Module(image, handle, image.entries(), new HashMap<>());
    }

    /** Null if the module has no such kernel. */
    private CudaFunction find(Module module, String entry) {
        CUfunction handle = new CUfunction();
        int status = JCudaDriver.cuModuleGetFunction(handle, module.handle, entry);
        if (status == CUresult.CUDA_ERROR_NOT_FOUND) {
            return null;
        }
        CudaStatus.check(status, "cuModuleGetFunction");
        return new CudaFunction(device, handle, entry, module.entries.get(entry));
    }

    private static void unload(Module module) {
        CudaStatus.check(JCudaDriver.cuModuleUnload(module.handle), "cuModuleUnload");
    }

    @Override
    public void close() {
        modules.values().forEach(CudaModules::unload);
        modules.clear();
        replaced.values().forEach(CudaModules::unload);
        replaced.clear();
    }
}
