package dev.tiller.kernels.cuda;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;

/**
 * The calls of a step as they were recorded: which operation, on which objects, with which numbers. When the step comes
 * again, its calls are held against the record; only where all are the same may the record stand for them. What belongs
 * to a call and changes from step to step (its slots) is kept here too, by its place in the order.
 */
final class CallLog {
    private Object[] objects = new Object[64];
    private long[] numbers = new long[64];
    private final List<Object> kept = new ArrayList<>();
    private int object;
    private int number;
    private int keep;
    private int objectCount;
    private int numberCount;
    private final boolean active;
    private boolean comparing;
    private boolean differs;

    private CallLog(boolean active) {
        this.active = active;
    }

    /** An empty record. */
    static CallLog recording() {
        return new CallLog(true);
    }

    /** Takes no notice of calls. */
    static CallLog off() {
        return new CallLog(false);
    }

    /** From now on calls are compared with those recorded so far, from the first one on. */
    void compare() {
        objectCount = comparing ? objectCount : object;
        numberCount = comparing ? numberCount : number;
        comparing = true;
        object = 0;
        number = 0;
        keep = 0;
        differs = false;
    }

    boolean comparing() {
        return comparing;
    }

    /** The record cannot stand for the calls made. */
    void refuse() {
        differs = true;
    }

    /** Whether all calls were the recorded ones, or, while recording, nothing spoke against it. */
    boolean holds() {
        return !differs && (!comparing || object == objectCount && number == numberCount);
    }

    /** An object that the call reads or writes; compared by identity. The log keeps it alive. */
    CallLog with(Object o) {
        if (!active) {
            return this;
        }
        if (comparing) {
            differs |= object >= objectCount || objects[object] != o;
        } else {
            if (object == objects.length) {
                objects = Arrays.copyOf(objects, 2 * object);
            }
            objects[object] = o;
        }
        object++;
        return this;
    }

    /** A number that the call depends on. */
    CallLog with(long n) {
        if (!active) {
            return this;
        }
        if (comparing) {
            differs |= number >= numberCount || numbers[number] != n;
        } else {
            if (number == numbers.length) {
                numbers = Arrays.copyOf(numbers, 2 * number);
            }
            numbers[number] = n;
        }
        number++;
        return this;
    }

    /** A number that the call depends on, bit for bit. */
    CallLog with(float n) {
        return with((long) Float.floatToRawIntBits(n));
    }

    /**
     * What was kept at this place when the step was recorded; made now while recording. Null if the calls differ from
     * those recorded.
     */
    <T> T kept(Class<T> type, Supplier<T> make) {
        if (!comparing) {
            T made = make.get();
            kept.add(made);
            return made;
        }
        Object found = !differs && keep < kept.size() ? kept.get(keep++) : null;
        differs |= !type.isInstance(found);
        return differs ? null : type.cast(found);
    }

    /** Everything kept. */
    List<Object> kept() {
        return kept;
    }
}
