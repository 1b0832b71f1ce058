package io.elder.schemas.serde;

import io.elder.schemas.avro.HeldPlan;
import io.elder.schemas.avro.InventoryRecord;
import io.elder.schemas.avro.RawRecord;
import io.elder.schemas.avro.RunEvent;
import io.elder.schemas.avro.ScopeEvent;
import io.elder.schemas.avro.Task;
import io.elder.schemas.avro.Verdict;
import java.util.List;
import org.apache.avro.Schema;

/** The schemas of this build. */
public final class AvroSchemas {
    public static final List<Schema> ALL = List.of(
            RawRecord.getClassSchema(),
            Task.getClassSchema(),
            RunEvent.getClassSchema(),
            InventoryRecord.getClassSchema(),
            ScopeEvent.getClassSchema(),
            Verdict.getClassSchema(),
            HeldPlan.getClassSchema());

    private AvroSchemas() {}
}
