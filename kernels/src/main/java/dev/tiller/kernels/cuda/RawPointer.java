package dev.tiller.kernels.cuda;

import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;

/** Pointers of JCuda from and to raw addresses, which JCuda itself keeps to itself. */
final class RawPointer {
    private RawPointer() {}

    /** A pointer for cuBLAS and for host sides of copies. */
    static Pointer of(long address) {
        return new Opaque(address);
    }

    /** A pointer for the device sides of copies. */
    static CUdeviceptr device(long address) {
        return address == 0 ? new CUdeviceptr() : new Device(address);
    }

    private static final class Opaque extends Pointer {
        Opaque(long address) {
            super(address);
        }
    }

    private static final class Device extends CUdeviceptr {
        Device(long address) {
            super(new CUdeviceptr(), address);
        }
    }

    /** A device pointer that a call of CUDA fills in. */
    static final class DeviceResult extends CUdeviceptr {
        long address() {
            return getNativePointer();
        }
    }

    /** A host pointer that a call of CUDA fills in. */
    static final class HostResult extends Pointer {
        long address() {
            return getNativePointer();
        }
    }
}
