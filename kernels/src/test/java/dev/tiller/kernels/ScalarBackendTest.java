package dev.tiller.kernels;

class ScalarBackendTest extends BackendContract {
    @Override
    public Backend open() {
        return Backends.open("scalar", 0);
    }
}
