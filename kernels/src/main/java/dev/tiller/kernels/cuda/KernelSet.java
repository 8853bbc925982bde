package dev.tiller.kernels.cuda;

import dev.tiller.loader.TillerException;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/**
 * Kernels by operation and entry, ready to be launched. Which form of an operation runs is chosen here: the tuned one, or
 * with {@code -Dtiller.cuda.kernel.<operation>=naive} the simplest one, or another image in its place. All methods belong
 * on the GPU's thread.
 */
final class KernelSet implements AutoCloseable {
    static final String PROPERTY = "tiller.cuda.kernel.";

    private final CudaModules modules;
    private final Map<String, Launch> launches = new HashMap<>();
    private final Map<String, Boolean> naive = new HashMap<>();

    KernelSet(CudaDevice device) {
        this.modules = new CudaModules(device);
    }

    /** Whether the simplest form of an operation is wanted. */
    boolean naive(String operation) {
        return naive.computeIfAbsent(operation, o -> {
            String wanted = System.getProperty(PROPERTY + o, "tuned");
            if (!wanted.equals("tuned") && !wanted.equals("naive")) {
                throw new TillerException("expected -D" + PROPERTY + o + " tuned or naive, found \"" + wanted + "\"");
            }
            return wanted.equals("naive");
        });
    }

    /** Takes the simplest form of an operation from now on. */
    void useNaive(String operation) {
        naive.put(operation, true);
    }

    /** Entries of replaced operations that were put to use. */
    Set<String> replacementsUsed() {
        return modules.replacementsUsed();
    }

    /** A kernel with a form of its own for those who want the simplest. */
    Launch either(String operation, String entry) {
        return exactly(operation, naive(operation) ? entry + "_naive" : entry);
    }

    /** The kernel of that name, with an empty list of parameters. */
    Launch exactly(String operation, String entry) {
        Launch found = launches.get(entry);
        if (found == null) {
            found = modules.function(operation, entry).launch();
            launches.put(entry, found);
        }
        return found.start();
    }

    /** Puts other kernels in the place of an operation's. */
    void replace(String operation, KernelImage image) {
        modules.replace(operation, image);
        launches.clear();
    }

    @Override
    public void close() {
        modules.close();
        launches.clear();
    }
}
