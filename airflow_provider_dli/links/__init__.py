"""Links of tasks into Huawei Cloud's console."""
