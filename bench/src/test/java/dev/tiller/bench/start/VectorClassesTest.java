package dev.tiller.bench.start;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.nio.file.Path;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VectorClassesTest {
    @TempDir
    private Path folder;

    @Test
    void hasTheClassesOfTheModuleButNoModule() throws Exception {
        Path jar = folder.resolve("vectors.jar");
        int classes = VectorClasses.copy(jar);
        try (ZipFile zip = new ZipFile(jar.toFile())) {
            assertEquals(classes, zip.size());
            assertNotNull(zip.getEntry("jdk/incubator/vector/FloatVector.class"));
            assertNotNull(zip.getEntry("jdk/incubator/vector/VectorOperators$Binary.class"));
            assertNull(zip.getEntry("module-info.class"));
        }
    }
}
