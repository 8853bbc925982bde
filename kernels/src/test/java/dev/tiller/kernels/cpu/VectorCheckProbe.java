package dev.tiller.kernels.cpu;

import dev.tiller.kernels.Backend;
import dev.tiller.kernels.Backends;

/** Opens a backend in a Java machine of its own and waits for what the check of its vectors says. */
final class VectorCheckProbe {
    private VectorCheckProbe() {}

    public static void main(String[] args) throws InterruptedException {
        for (int i = 0; i < Integer.parseInt(args[0]); i++) {
            Thread load = new Thread(() -> {
                while (true) {
                    Thread.onSpinWait();
                }
            });
            load.setDaemon(true);
            load.start();
        }
        try (Backend backend = Backends.open("simd", 2)) {
            System.out.println("opened: " + backend.description());
            VectorCheck.await();
        }
        System.out.println("checked");
    }
}
