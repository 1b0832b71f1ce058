package io.elder.bench;

/** Records a second between the first progress that was seen and the end. */
final class Pace {
    private final long records;
    private final long begun = System.nanoTime();
    private long first;
    private long firstAt;
    private long done;
    private long last;

    Pace(long records) {
        this.records = records;
    }

    /** So many are committed now. */
    void reached(long count) {
        if (count <= done) {
            return;
        }
        last = System.nanoTime();
        if (done == 0) {
            first = count;
            firstAt = last;
        }
        done = count;
    }

    boolean isDone() {
        return done >= records;
    }

    double perSecond() {
        // All at once: then it counts from the beginning.
        return first >= records ? records * 1e9 / (last - begun) : (done - first) * 1e9 / (last - firstAt);
    }
}
