package dev.tiller.kernels.cuda;

import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import jcuda.nvrtc.JNvrtc;
import jcuda.nvrtc.nvrtcProgram;
import jcuda.nvrtc.nvrtcResult;

/**
 * Compiles a .cu file of a user for the device at hand: by NVRTC or nvcc for a GPU, by g++ for the emulated one. The file
 * may include what the built-in kernels include, and what lies beside it.
 */
final class KernelCompiler {
    private final CudaDevice device;

    KernelCompiler(CudaDevice device) {
        this.device = device;
    }

    /**
     * Compiles a file.
     *
     * @throws TillerException with the compiler's messages, which name the lines, if the file is wrong
     * @throws CudaUnavailable if there is no compiler
     */
    KernelImage compile(Path file) {
        if (!Files.isReadable(file)) {
            throw new TillerException("cannot read the kernel file " + file);
        }
        if (device.isEmulated()) {
            return emulated(file);
        }
        try {
            CudaNatives.loadNvrtc();
        } catch (CudaUnavailable noNvrtc) {
            return byNvcc(file, noNvrtc.getMessage());
        }
        return byNvrtc(file);
    }

    // --- the emulated device ---

    private static KernelImage emulated(Path file) {
        Path library = PrivateFolder.temporary("kernel").resolve("kernel.so");
        try {
            CudaSources.build(CudaSources.folder(), null, "--module", file.toString(), library.toString());
        } catch (CudaUnavailable e) {
            throw e;
        } catch (TillerException e) {
            throw wrong(file, e.getMessage());
        }
        return new KernelImage(file.toString(), ("// simt-module: " + library + "\n").getBytes(StandardCharsets.UTF_8));
    }

    // --- NVRTC ---

    private KernelImage byNvrtc(Path file) {
        nvrtcProgram program = new nvrtcProgram();
        check(JNvrtc.nvrtcCreateProgram(program, read(file), file.toString(), 0, null, null), "nvrtcCreateProgram");
        try {
            // An older driver cannot read the PTX of a newer NVRTC, but the machine code made from it.
            boolean machineCode = nvrtcVersion() > device.driverVersion();
            String[] options = options(file, (machineCode ? "sm_" : "compute_") + architecture());
            int status = JNvrtc.nvrtcCompileProgram(program, options.length, options);
            if (status == nvrtcResult.NVRTC_ERROR_COMPILATION) {
                String[] log = new String[1];
                check(JNvrtc.nvrtcGetProgramLog(program, log), "nvrtcGetProgramLog");
                throw wrong(file, log[0].replace("\0", "").strip());
            }
            check(status, "nvrtcCompileProgram");
            return new KernelImage(file.toString(), machineCode ? machineCode(program) : ptx(program));
        } finally {
            JNvrtc.nvrtcDestroyProgram(program);
        }
    }

    private static byte[] ptx(nvrtcProgram program) {
        String[] ptx = new String[1];
        check(JNvrtc.nvrtcGetPTX(program, ptx), "nvrtcGetPTX");
        return ptx[0].replace("\0", "").getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] machineCode(nvrtcProgram program) {
        long[] size = new long[1];
        check(JNvrtc.nvrtcGetCUBINSize(program, size), "nvrtcGetCUBINSize");
        byte[] code = new byte[Math.toIntExact(size[0])];
        check(JNvrtc.nvrtcGetCUBIN(program, code), "nvrtcGetCUBIN");
        return code;
    }

    /** As the driver's version is counted: 13000 for 13.0. */
    private static int nvrtcVersion() {
        int[] major = new int[1];
        int[] minor = new int[1];
        check(JNvrtc.nvrtcVersion(major, minor), "nvrtcVersion");
        return major[0] * 1000 + minor[0] * 10;
    }

    /** The newest architecture that NVRTC knows and this GPU runs. */
    private int architecture() {
        int[] count = new int[1];
        check(JNvrtc.nvrtcGetNumSupportedArchs(count), "nvrtcGetNumSupportedArchs");
        int[] known = new int[count[0]];
        check(JNvrtc.nvrtcGetSupportedArchs(known), "nvrtcGetSupportedArchs");
        return Arrays.stream(known)
                .filter(a -> a <= device.computeCapability())
                .max()
                .orElseThrow(() -> new CudaUnavailable("NVRTC knows no architecture that " + device.name() + " runs"));
    }

    private static String[] options(Path file, String architecture) {
        return new String[] {
            "--gpu-architecture=" + architecture,
            "--std=c++17",
            "--generate-line-info",
            "--include-path=" + file.toAbsolutePath().getParent(),
            "--include-path=" + CudaSources.folder()
        };
    }

    private static void check(int status, String call) {
        if (status != nvrtcResult.NVRTC_SUCCESS) {
            throw new TillerException("NVRTC: " + call + " gives " + nvrtcResult.stringFor(status));
        }
    }

    // --- nvcc ---

    private KernelImage byNvcc(Path file, String noNvrtc) {
        Path nvcc = nvcc();
        if (nvcc == null) {
            throw new CudaUnavailable("there is no compiler for " + file + ": " + noNvrtc
                    + ", and nvcc is neither on the PATH nor in CUDA_HOME; install the CUDA toolkit or the Python package"
                    + " nvidia-cuda-nvrtc");
        }
        Path out = PrivateFolder.temporary("kernel").resolve("kernel.cubin");
        List<String> command = new ArrayList<>(List.of(nvcc.toString(), "-cubin", "-o", out.toString()));
        command.addAll(List.of(options(file, "sm_" + device.computeCapability())));
        command.add(file.toString());
        Programs.Result r = Programs.run(command.toArray(String[]::new));
        if (r.status() != 0) {
            throw wrong(file, r.output());
        }
        try {
            return new KernelImage(file.toString(), Files.readAllBytes(out));
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read what nvcc made of " + file, e);
        }
    }

    private static Path nvcc() {
        Stream<Path> onPath = Stream.of(System.getenv().getOrDefault("PATH", "").split(":"))
                .filter(s -> !s.isBlank())
                .map(Path::of);
        Stream<Path> toolkits = Stream.of(System.getenv("CUDA_HOME"), System.getenv("CUDA_PATH"), "/usr/local/cuda")
                .filter(s -> s != null && !s.isBlank())
                .map(s -> Path.of(s, "bin"));
        return Stream.concat(onPath, toolkits)
                .map(p -> p.resolve("nvcc"))
                .filter(Files::isExecutable)
                .findFirst()
                .orElse(null);
    }

    // ---

    private static TillerException wrong(Path file, String messages) {
        return new TillerException("cannot compile " + file + ":\n" + messages);
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new TillerException("cannot read the kernel file " + file + " as UTF-8: " + e.getMessage(), e);
        }
    }
}
