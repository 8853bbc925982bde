package dev.tiller.kernels.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tiller.loader.TillerException;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(300)
class CudaSourcesTest {
    @TempDir
    Path dir;

    @Test
    void allSourcesAreThere() throws IOException {
        Map<String, byte[]> all = CudaSources.all();
        for (String name : new String[] {"common.cuh", "args.cuh", "simt/cuda_cpu.h", "simt/fake/build.sh"}) {
            assertTrue(all.containsKey("source/" + name), name);
        }
        assertTrue(all.keySet().stream().noneMatch(n -> n.endsWith(".class")));
        Path folder = CudaSources.folder();
        for (var e : all.entrySet()) {
            assertArrayEquals(e.getValue(), Files.readAllBytes(folder.resolveSibling(e.getKey())), e.getKey());
        }
    }

    /** Users have a jar and no folder of classes. */
    @Test
    void theJarHoldsTheSame() throws Exception {
        Path classes = Path.of(CudaSources.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .toURI());
        Path jar = dir.resolve("kernels.jar");
        try (OutputStream file = Files.newOutputStream(jar);
                JarOutputStream out = new JarOutputStream(file);
                Stream<Path> files = Files.walk(classes)) {
            for (Path f : files.filter(Files::isRegularFile).toList()) {
                out.putNextEntry(new JarEntry(classes.relativize(f).toString()));
                Files.copy(f, out);
            }
        }
        URL other = TillerException.class.getProtectionDomain().getCodeSource().getLocation();
        try (URLClassLoader loader = new URLClassLoader(
                new URL[] {jar.toUri().toURL(), other},
                ClassLoader.getSystemClassLoader().getParent())) {
            Method method = loader.loadClass(CudaSources.class.getName()).getDeclaredMethod("all");
            method.setAccessible(true);
            Map<?, ?> fromJar = (Map<?, ?>) method.invoke(null);
            Map<String, byte[]> all = CudaSources.all();
            assertEquals(all.keySet(), fromJar.keySet());
            all.forEach((name, content) -> assertArrayEquals(content, (byte[]) fromJar.get(name), name));
        }
    }

    /** PTX and source that do not belong together must not pass for a driver. */
    @Test
    void theDriverIsNotBuiltWhenThePtxHasAKernelThatTheSourceHasNot() throws IOException {
        TestGpu.emulator();
        for (var e : CudaSources.all().entrySet()) {
            if (!e.getKey().endsWith(".ptx")) {
                Path file = dir.resolve(e.getKey());
                Files.createDirectories(file.getParent());
                Files.write(file, e.getValue());
            }
        }
        TestKernels.write(
                dir.resolve("source/gone.cu"),
                "#include \"common.cuh\"\nextern \"C\" __global__ void here(float* x) { x[0] = 1.f; }\n");
        TestKernels.write(dir.resolve("gone.ptx"), ".visible .entry here(\n");
        CudaSources.build(dir.resolve("source"), null, dir.resolve("out").toString());
        assertTrue(Files.exists(dir.resolve("out/kernels/gone.so")));
        TestKernels.write(dir.resolve("gone.ptx"), ".visible .entry here(\n.visible .entry lost(\n");
        TillerException e = assertThrows(
                TillerException.class,
                () -> CudaSources.build(
                        dir.resolve("source"), null, dir.resolve("out2").toString()));
        assertTrue(e.getMessage().contains("lost"), e::getMessage);
    }
}
