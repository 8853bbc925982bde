package dev.tiller.kernels.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Looking for libraries below a made-up root. */
class CudaLibrariesTest {
    @TempDir
    Path root;

    private Path library(String name) throws IOException {
        Path file = root.resolve(name);
        Files.createDirectories(file.getParent());
        return Files.write(file, ElfLibraryTest.resource("JNvrtc"));
    }

    private CudaLibraries search(String property, Map<String, String> environment) {
        return new CudaLibraries(CudaLibraries.folders(property, environment, root));
    }

    @Test
    void foldersOfTheUserComeFirst() throws IOException {
        Path named = library("named/libcublas.so.13");
        Path loader = library("loader/libcublas.so.13");
        Path home = library("home/lib64/libcublas.so.13");
        Path toolkit = library("usr/local/cuda-12.9/lib64/libcublas.so.12");
        Path newer = library("usr/local/cuda-13.1/lib64/libcublas.so.13");
        Path system = library("usr/lib/x86_64-linux-gnu/libcublas.so.12");
        CudaLibraries all = search(
                root.resolve("named").toString(),
                Map.of("LD_LIBRARY_PATH", ":" + root.resolve("loader") + "::", "CUDA_HOME", root.resolve("home") + ""));
        assertEquals(
                List.of(named, loader, home, newer, toolkit, system),
                all.versions("cublas").stream().map(CudaLibraries.Found::file).toList());
        assertTrue(all.folders().stream().allMatch(Path::isAbsolute), "the current folder is never looked in");
    }

    @Test
    void aNamedFileCountsForItsFolder() throws IOException {
        Path file = library("some/where/libcublas.so.12");
        assertEquals(
                file,
                search(file.toString(), Map.of()).versions("cublas").getFirst().file());
    }

    @Test
    void inOneFolderTheVersionOfJCudaComesFirst() throws IOException {
        library("usr/lib64/libcublas.so.13");
        library("usr/lib64/libcublas.so.12");
        library("usr/lib64/libcublas.so.12.9.1");
        library("usr/lib64/libcublasLt.so.12");
        library("usr/lib64/libcublas.so");
        assertEquals(
                List.of(12, 13),
                search(null, Map.of()).versions("cublas").stream()
                        .map(CudaLibraries.Found::major)
                        .toList());
    }

    @Test
    void whatCannotBeLoadedIsPassedOver() throws IOException {
        Path narrow = library("usr/lib64/libcuda.so.1");
        byte[] bytes = Files.readAllBytes(narrow);
        bytes[4] = 1;
        Files.write(narrow, bytes);
        assertNull(search(null, Map.of()).driver());
        Path wsl = library("usr/lib/wsl/lib/libcuda.so.1");
        assertEquals(wsl, search(null, Map.of()).driver());
    }

    @Test
    void foldersOfTheSystemsLoaderAreRead() throws IOException {
        Path driver = library("opt/driver/lib/libcuda.so.1");
        Files.createDirectories(root.resolve("etc/ld.so.conf.d"));
        Files.writeString(root.resolve("etc/ld.so.conf"), "# comment\ninclude /etc/ld.so.conf.d/*.conf\n");
        Files.writeString(root.resolve("etc/ld.so.conf.d/driver.conf"), "/opt/driver/lib # here\n");
        Files.writeString(root.resolve("etc/ld.so.conf.d/driver.bak"), "/nowhere\n");
        assertEquals(driver, search(null, Map.of()).driver());
    }

    @Test
    void packagesOfPythonAreFound() throws IOException {
        Path wheel13 = library("env/lib/python3.12/site-packages/nvidia/cu13/lib/libcublas.so.13");
        Path wheel12 = library("usr/lib/python3.11/site-packages/nvidia/cublas/lib/libcublas.so.12");
        Path user = library("me/.local/lib/python3.9/site-packages/nvidia/cu13/lib/libcublas.so.13");
        Path python = root.resolve("env/bin/python3");
        Files.createDirectories(python.getParent());
        Files.writeString(python, "#!/bin/sh\n");
        assertTrue(python.toFile().setExecutable(true));
        Map<String, String> environment = Map.of(
                "PATH",
                root.resolve("env/bin").toString(),
                "HOME",
                root.resolve("me").toString());
        assertEquals(
                List.of(wheel13, user, wheel12),
                search(null, environment).versions("cublas").stream()
                        .map(CudaLibraries.Found::file)
                        .toList());
        assertEquals(
                wheel13,
                search(null, Map.of("VIRTUAL_ENV", root.resolve("env").toString()))
                        .versions("cublas")
                        .getFirst()
                        .file());
    }

    // --- which one is taken ---

    private static CudaLibraries.Found found(int major) {
        return new CudaLibraries.Found(Path.of("/x/libcublas.so." + major), major, Path.of("/x"));
    }

    @Test
    void theFirstThatTheDriverRunsIsTaken() {
        List<CudaLibraries.Found> all = List.of(found(13), found(12));
        assertEquals(13, CudaNatives.choose(all, 13000, "/x").major());
        assertEquals(12, CudaNatives.choose(all, 12040, "/x").major());
        assertEquals(
                12,
                CudaNatives.choose(List.of(found(11), found(12)), 13020, "/x").major());
    }

    private static String refusal(List<CudaLibraries.Found> all, int driver) {
        return assertThrows(CudaUnavailable.class, () -> CudaNatives.choose(all, driver, "/x, /y"))
                .getMessage();
    }

    @Test
    void reasonsSayWhatIsMissing() {
        String none = refusal(List.of(), 13000);
        assertTrue(none.contains("no cuBLAS was found") && none.contains("/x, /y"), none);
        assertTrue(
                none.contains("libcublas.so.12 to libcublas.so.13") && none.contains("-Dtiller.cuda.libraries"), none);
        String newer = refusal(List.of(found(13)), 12080);
        assertTrue(newer.contains("the driver is for CUDA 12.8") && newer.contains("/x/libcublas.so.13"), newer);
        String older = refusal(List.of(found(11)), 13000);
        assertTrue(older.contains("/x/libcublas.so.11") && older.contains("cuBLAS 12 to 13"), older);
        String driver = refusal(List.of(found(12)), 11040);
        assertTrue(driver.contains("CUDA 11.4") && driver.contains("update the NVIDIA driver"), driver);
    }

    @Test
    void otherSystemsAreRefusedByName() {
        CudaUnavailable mac = assertThrows(CudaUnavailable.class, () -> CudaNatives.checkSystem("Mac OS X", "aarch64"));
        assertTrue(mac.getMessage().contains("Mac OS X for aarch64"), mac::getMessage);
        assertThrows(CudaUnavailable.class, () -> CudaNatives.checkSystem("Linux", "aarch64"));
        CudaNatives.checkSystem("Linux", "amd64");
    }
}
