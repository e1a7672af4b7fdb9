// The table's key schema as plain data, for whatever creates it. All keys are strings and every index holds whole items.
export const tableDefinition = {
  partitionKey: 'pk',
  sortKey: 'sk',
  indexes: [
    { name: 'by_project', partitionKey: 'project_pk', sortKey: 'project_sk' },
    { name: 'by_type', partitionKey: 'type_pk', sortKey: 'type_sk' },
    { name: 'by_name', partitionKey: 'name_pk', sortKey: 'name_sk' },
    { name: 'pending', partitionKey: 'pending_pk', sortKey: 'pending_sk' },
  ],
} as const;
