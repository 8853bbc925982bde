package dev.tiller.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Against folders that look like /proc and /sys of other machines. */
class ThreadsTest {
    @TempDir
    Path root;

    private void allowed(String list) throws IOException {
        Path status = root.resolve("proc/self/status");
        Files.createDirectories(status.getParent());
        Files.writeString(
                status, "Name:\tjava\nCpus_allowed:\tff\nCpus_allowed_list:\t" + list + "\nMems_allowed:\t1\n");
    }

    private void siblings(int cpu, String list) throws IOException {
        Path file = root.resolve("sys/devices/system/cpu/cpu" + cpu + "/topology/thread_siblings_list");
        Files.createDirectories(file.getParent());
        Files.writeString(file, list + "\n");
    }

    /** Four cores of two threads each, numbered as Linux does: 0-3 and then 4-7. */
    private void fourCores(String separator) throws IOException {
        for (int core = 0; core < 4; core++) {
            siblings(core, core + separator + (core + 4));
            siblings(core + 4, core + separator + (core + 4));
        }
    }

    @Test
    void oneForEachPhysicalCore() throws IOException {
        allowed("0-7");
        fourCores(",");
        assertEquals(
                "4 threads (one per physical core)", Threads.choose(root, 8).toString());
    }

    @Test
    void siblingsMayBeNeighbours() throws IOException {
        allowed("0-3");
        siblings(0, "0-1");
        siblings(1, "0-1");
        siblings(2, "2-3");
        siblings(3, "2-3");
        assertEquals(
                "2 threads (one per physical core)", Threads.choose(root, 4).toString());
    }

    @Test
    void onlyProcessorsThatThisProcessMayUseCount() throws IOException {
        fourCores(",");
        allowed("1,5");
        assertEquals("1 thread (one per physical core)", Threads.choose(root, 2).toString());
        allowed("0-2");
        assertEquals(
                "3 threads (one per physical core)", Threads.choose(root, 3).toString());
        allowed("0-1,4,7");
        assertEquals(
                "3 threads (one per physical core)", Threads.choose(root, 4).toString());
    }

    @Test
    void aContainerMayAllowLessTime() throws IOException {
        allowed("0-7");
        fourCores(",");
        assertEquals(
                "2 threads (as much as this process may use of 4 physical cores)",
                Threads.choose(root, 2).toString());
    }

    @Test
    void withoutSuchFilesEveryProcessorCounts() throws IOException {
        String expected = "6 threads (one per processor, physical cores unknown)";
        assertEquals(expected, Threads.choose(root, 6).toString());
        allowed("0-5");
        assertEquals(expected, Threads.choose(root, 6).toString());
        for (String strange : new String[] {"", "x", "3-1", "0,,1", "-4", "1-"}) {
            for (int cpu = 0; cpu < 6; cpu++) {
                siblings(cpu, strange);
            }
            assertEquals(expected, Threads.choose(root, 6).toString(), strange);
        }
        allowed("");
        assertEquals(expected, Threads.choose(root, 6).toString());
    }

    @Test
    void asManyAsAskedForEvenIfTheyAreMoreThanCores() {
        assertEquals("400 threads (asked for)", Threads.of(400).toString());
        assertEquals("1 thread (asked for)", Threads.of(1).toString());
    }

    @Test
    void thisMachineHasSome() {
        Threads here = Threads.of(0);
        assertTrue(here.count() >= 1 && here.count() <= Runtime.getRuntime().availableProcessors(), here.toString());
    }
}
