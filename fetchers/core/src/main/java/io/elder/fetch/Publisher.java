package io.elder.fetch;

import io.elder.schemas.ResourceKey;
import io.elder.schemas.ScopeKey;
import io.elder.schemas.avro.RunEvent;
import io.elder.schemas.avro.Task;

/** Where tasks put what they saw: the log. */
public interface Publisher {
    /** Opens one attempt at reading a scope. */
    Attempt open(Task task, ScopeKey scope, String attempt);

    /** Tells what became of a run; on return it is in the log. */
    void tell(RunEvent event) throws InterruptedException;

    /** One attempt at reading a scope. */
    interface Attempt {
        /** Puts a record into the log; blocks while the log can't take more. */
        void write(ResourceKey key, String payload);

        /** Waits until the log has every record, then vouches for them: the scope was read whole. */
        void seal() throws InterruptedException;

        /** How many records were written so far. */
        long count();
    }
}
