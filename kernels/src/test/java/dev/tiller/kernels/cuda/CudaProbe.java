package dev.tiller.kernels.cuda;

/** A program for tests that need a process of their own: opens the device and tells what came of it. */
final class CudaProbe {
    private CudaProbe() {}

    /** @param args open, or the bytes to allocate */
    public static void main(String[] args) {
        String temporary = System.getProperty("java.io.tmpdir");
        try (CudaDevice gpu = CudaDevice.open()) {
            if (args.length > 0) {
                gpu.allocate(Long.parseLong(args[0]), "the test").close();
            }
            System.out.println("opened: " + gpu.description());
        } catch (CudaUnavailable e) {
            System.out.println("unavailable: " + e.getMessage());
            try {
                CudaDevice.open();
            } catch (CudaUnavailable again) {
                System.out.println("again: " + e.getMessage().equals(again.getMessage()));
            }
        } catch (RuntimeException e) {
            System.out.println("failed: " + e.getMessage());
        }
        System.out.println("tmpdir: " + temporary.equals(System.getProperty("java.io.tmpdir")));
    }
}
